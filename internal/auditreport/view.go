package auditreport

import (
	_ "embed"
	"encoding/json"
	"strings"

	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
)

// What a view adds to the style of a report, and its script.
var (
	//go:embed view.css
	viewStyle string
	//go:embed view.js
	viewScript string
)

// View is a page that a client shows beside the answer of a tool (MCP Apps, 2026-01-26):
// the answer comes to it by messages of the client, and it asks for nothing else. Console
// is the address of the console, where there is one.
func View(program, console string) string {
	hidden := page.Attr("hidden")
	section := func(id, title string, content ...page.Node) page.Node {
		return page.El("section", append([]page.Node{page.Attr("id", id), page.Attr("aria-labelledby", id+"-title"), hidden, page.El("h2", page.Attr("id", id+"-title"), page.Text(title))}, content...)...)
	}
	titles, _ := json.Marshal(xslices.Map(answers.RowStates(), func(s answers.RowState) [2]string { return [2]string{string(s), StateTitle(string(s))} }))
	var out strings.Builder
	_ = page.File{ // a builder takes everything
		Title: "Partner links", Lead: "Waiting for the answer of the tool.", Style: styleText + viewStyle, Script: viewScript,
		Facts: page.El("p", page.Class("note"), page.Attr("id", "where"), page.Attr("data-titles", string(titles)), page.Attr("data-program", program), page.Attr("data-console", console), page.Attr("role", "status")),
		Body: []page.Node{
			section("totals", "Totals", page.El("div", page.Attr("id", "bar")), chipsOf()),
			section("causes", "Why some are unknown", page.El("ul", page.Class("causes"), page.Attr("id", "cause-list"))),
			section("rows", "Identities in tenants",
				page.El("div", page.Class("tools"), page.El("label", page.Class("search"), page.Text("Filter "), page.El("input", page.Attr("id", "filter"), page.Attr("type", "search"), page.Attr("autocomplete", "off"))),
					page.El("output", page.Attr("id", "shown"), page.Attr("aria-live", "polite"))),
				page.El("div", page.Class("scroll"), page.Attr("tabindex", "0"), page.Attr("role", "region"), page.Attr("aria-label", "Table of rows"), page.El("table", page.Attr("id", "table"), page.El("thead"), page.El("tbody")))),
			page.El("p", page.Class("more"), page.El("button", page.Attr("id", "more"), page.Attr("type", "button"), hidden, page.Text("More rows")), page.Text(" "),
				page.El("button", page.Attr("id", "open"), page.Attr("type", "button"), hidden, page.Text("Open in the console"))),
		},
		Foot: "This page only shows what the tool answered. It changes nothing and approves nothing.",
	}.Write(&out)
	return out.String()
}
