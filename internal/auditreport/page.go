package auditreport

import (
	"strings"

	"golang.org/x/net/html"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// page is the document, with a mark for the rows.
func (r Report) page(mark *html.Node) *html.Node {
	title := r.title()
	head := el("head", nil,
		el("meta", at("charset", "utf-8")),
		el("meta", at("http-equiv", "Content-Security-Policy", "content", policy())),
		el("meta", at("name", "viewport", "content", "width=device-width, initial-scale=1")),
		el("meta", at("name", "referrer", "content", "no-referrer")),
		el("meta", at("name", "color-scheme", "content", "light dark")),
		said("title", "", title), said("style", "", styleText),
	)
	body := el("body", nil,
		el("header", nil, said("h1", "", title), said("p", "lead", r.Summary), r.facts()),
		el("main", nil, r.totals(), r.roles(), r.causes(), r.table(mark)),
		el("footer", nil, said("p", "", "A link belongs to one identity in one tenant; other identities may have others. Partner names come from Azure. "+r.restsOn())),
		said("script", "", scriptText),
	)
	return el("html", at("lang", "en"), head, body)
}

// facts describe the run of the report.
func (r Report) facts() *html.Node {
	info, audit := r.Info(), r.Audit()
	list := el("dl", at("class", "facts"))
	add := func(name string, value *html.Node) {
		list.AppendChild(el("div", nil, said("dt", "", name), el("dd", nil, value)))
	}
	add("Run", said("code", "", r.Run.ID))
	add("State", text(info.State+", "+count(info.Answered)+" of "+count(info.Rows)+" answered"))
	add("Begun", text(stamp(r.Run.CreatedAt)))
	if !r.Run.FinishedAt.IsZero() {
		add("Finished", text(stamp(r.Run.FinishedAt)))
	}
	if which, ids := r.partnerIDs(); ids != "" {
		add(strings.ToUpper(which[:1])+which[1:], text(ids))
	}
	if audit.StaleAfterDays > 0 {
		add("Stale after", text(count(audit.StaleAfterDays)+" days"))
	}
	add("Made by", text(r.Program))
	return list
}

// totals are a bar and filter buttons for each state.
func (r Report) totals() *html.Node {
	chips := el("ul", at("class", "chips", "id", "chips", "role", "group", "aria-label", "Show rows by state"))
	legend := el("dl", at("class", "legend"))
	for _, state := range r.totalsShown() {
		title, meaning := stateWords(state)
		if meaning != "" {
			legend.AppendChild(el("div", nil, said("dt", "", title), said("dd", "", meaning)))
		}
	}
	for _, state := range r.states() {
		if state != pending {
			chips.AppendChild(el("li", nil, el("button", at("type", "button", "class", "chip s-"+state, "data-state", state, "aria-pressed", "true"),
				dot(), said("b", "", count(r.Totals[state])), text(" "+stateTitle(state)))))
		}
	}
	if n := r.Totals["stale"]; n > 0 {
		chips.AppendChild(el("li", nil, el("button", at("type", "button", "class", "chip stale", "data-stale", "", "aria-pressed", "false"),
			said("b", "", count(n)), text(" Only stale"))))
	}
	waiting := r.Totals[pending]
	return el("section", at("aria-labelledby", "totals"), el("h2", at("id", "totals"), text("Totals")), r.drawing(), chips, legend,
		when(waiting > 0, func() *html.Node { return said("p", "note", count(waiting)+" without a result yet.") }))
}

// drawing is the bar, with its numbers as a title for screen readers.
func (r Report) drawing() *html.Node {
	segments := r.bar()
	if len(segments) == 0 {
		return nil
	}
	var titles []string
	var parts []*html.Node
	for _, s := range segments {
		title := count(s.Count) + " " + s.Title
		titles = append(titles, title)
		parts = append(parts, el("rect", at("class", "s-"+s.State, "x", size(s.At), "y", "0", "width", size(s.Width), "height", "36"), said("title", "", title)))
	}
	all := append([]*html.Node{el("title", at("id", "bar-title"), text(strings.Join(titles, ", ")))}, parts...)
	return el("svg", at("class", "bar", "viewBox", "0 0 1000 36", "preserveAspectRatio", "none", "role", "img", "aria-labelledby", "bar-title"), all...)
}

// causes say why rows are unknown.
func (r Report) causes() *html.Node {
	if len(r.Causes) == 0 {
		return nil
	}
	body := el("tbody", nil)
	for _, c := range r.Causes {
		body.AppendChild(el("tr", nil, said("td", "number", count(c.Rows)), el("td", nil, said("code", "", string(c.Code))),
			said("td", "", c.Credential), said("td", "", c.Example+": "+c.Message), said("td", "", problems.NextStep(c.Hint, c.Command))))
	}
	head := el("tr", nil, el("th", at("scope", "col", "class", "number"), text("Rows")))
	for _, name := range []string{"Problem", "Credential", "For example", "What to do"} {
		head.AppendChild(el("th", at("scope", "col"), text(name)))
	}
	return el("section", at("aria-labelledby", "causes"), el("h2", at("id", "causes"), text("Why rows are unknown")),
		said("p", "note", "Unknown is not missing: these links are unknown until the cause is fixed."),
		el("div", at("class", "scroll"), el("table", at("class", "causes"), el("thead", nil, head), body)),
		when(r.OtherCauses() > 0, func() *html.Node { return said("p", "note", furtherCauses(r.OtherCauses())) }))
}

// table is the table of rows, without them.
func (r Report) table(mark *html.Node) *html.Node {
	head := el("tr", nil)
	for _, c := range r.shown {
		head.AppendChild(el("th", at("scope", "col", "aria-sort", "none"), el("button", at("type", "button"), text(c.title))))
	}
	alike := when(len(r.alike) > 0, func() *html.Node {
		return el("p", at("class", "note"), text("In every row: "), foreign(strings.Join(r.alike, "; ")))
	})
	filter := el("label", at("class", "search"), text("Filter "),
		el("input", at("id", "filter", "type", "search", "autocomplete", "off", "spellcheck", "false", "placeholder", "tenant, company, partner, label, owner")))
	return el("section", at("aria-labelledby", "rows"),
		el("div", at("class", "tools"), el("h2", at("id", "rows"), text("Identities in tenants")), filter, el("output", at("id", "shown", "aria-live", "polite"))), alike,
		el("div", at("class", "scroll"), el("table", at("class", "rows", "id", "table"), el("thead", nil, head), el("tbody", nil, mark))),
		el("p", at("class", "none", "id", "none", "hidden", ""), text("No row matches the filter.")))
}

// rowOf is one row of the table.
func (r Report) rowOf(row answers.AuditRow) *html.Node {
	attributes := at("data-state", string(row.State))
	if row.Stale {
		attributes = append(attributes, html.Attribute{Key: "data-stale"})
	}
	line := el("tr", attributes)
	for _, c := range r.shown {
		cell := el(map[bool]string{true: "th", false: "td"}[c.title == "Tenant"], nil)
		if c.title == "Tenant" {
			cell.Attr = at("scope", "row")
		}
		if c.cell != nil {
			cell.AppendChild(c.cell(row))
		} else {
			cell.AppendChild(foreign(c.text(row)))
		}
		line.AppendChild(cell)
	}
	return line
}
