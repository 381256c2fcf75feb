package auditreport

import (
	_ "embed"
	"io"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Style and script of the pages.
var (
	//go:embed page.css
	styleText string
	//go:embed page.js
	scriptText string
)

// pending counts rows without an answer.
const pending = "pending"

// segment is one part of the bar of totals, in per mille of its width.
type segment struct {
	State, Title string
	Count        int
	At, Width    float64
}

// html writes the report as one file, and its rows as they come.
func (r Report) html(w io.Writer, rows Rows) error {
	const foot = "A link belongs to one identity in one tenant; other identities may have others. Partner names come from Azure. "
	return page.File{
		Title: r.title(), Lead: r.Summary, Facts: r.facts(), Body: []page.Node{r.totals(), r.findings(), r.table(rows)},
		Foot: foot + r.restsOn(), Style: styleText, Script: scriptText,
	}.Write(w)
}

// facts describe the run of the report.
func (r Report) facts() page.Node {
	info, audit := r.Info(), r.Audit()
	var facts page.Group
	add := func(name, value string) {
		facts = append(facts, page.El("div", page.El("dt", page.Text(name)), page.El("dd", page.If(name == "Run", page.El("code", page.Text(value))), page.If(name != "Run", page.Text(value)))))
	}
	add("Run", r.Run.ID)
	add("State", info.State+", "+count(info.Answered)+" of "+count(info.Rows)+" answered")
	add("Begun", stamp(r.Run.CreatedAt))
	if !r.Run.FinishedAt.IsZero() {
		add("Finished", stamp(r.Run.FinishedAt))
	}
	if which, ids := r.partnerIDs(); ids != "" {
		add(strings.ToUpper(which[:1])+which[1:], ids)
	}
	if audit.StaleAfterDays > 0 {
		add("Stale after", count(audit.StaleAfterDays)+" days")
	}
	add("Made by", r.Program)
	return page.El("dl", page.Class("facts"), facts)
}

// totals are a bar and filter buttons for each state.
func (r Report) totals() page.Node {
	var chips, legend page.Group
	for _, state := range r.totalsShown() {
		if title, meaning := stateWords(state); meaning != "" {
			legend = append(legend, page.El("div", page.El("dt", page.Text(title)), page.El("dd", page.Text(meaning))))
		}
	}
	for _, state := range r.states() {
		if state != pending {
			chips = append(chips, page.El("li", page.El("button", page.Attr("type", "button"), page.Class("chip s-"+state), page.Attr("data-state", state), page.Attr("aria-pressed", "true"),
				dot(), page.El("b", page.Text(count(r.Totals[state]))), page.Text(" "+StateTitle(state)))))
		}
	}
	if n := r.Totals["stale"]; n > 0 {
		chips = append(chips, page.El("li", page.El("button", page.Attr("type", "button"), page.Class("chip stale"), page.Attr("data-stale", ""), page.Attr("aria-pressed", "false"), page.El("b", page.Text(count(n))), page.Text(" Only stale"))))
	}
	waiting := r.Totals[pending]
	return page.Section("totals", "Totals", r.Bar(),
		chipsOf(chips), page.El("dl", page.Class("legend"), legend),
		page.If(waiting > 0, note(count(waiting)+" without a result yet.")))
}

// Bar shows the totals beside each other, with the numbers as a title for screen readers.
func (r Report) Bar() page.Node {
	segments := r.bar()
	if len(segments) == 0 {
		return nil
	}
	title := func(s segment) string { return count(s.Count) + " " + s.Title }
	return page.El("svg", page.Class("bar"), page.Attr("viewBox", "0 0 1000 36"), page.Attr("preserveAspectRatio", "none"), page.Attr("role", "img"), page.Attr("aria-labelledby", "bar-title"),
		page.El("title", page.Attr("id", "bar-title"), page.Text(strings.Join(xslices.Map(segments, title), ", "))),
		page.Each(segments, func(s segment) page.Node {
			return page.El("rect", page.Class("s-"+s.State), page.Attr("x", size(s.At)), page.Attr("y", "0"), page.Attr("width", size(s.Width)), page.Attr("height", "36"), page.El("title", page.Text(title(s))))
		}))
}

// Within is the report in a page of its own: what was found, and some of its rows.
// Customer leads to that of a row.
func (r Report) Within(rows []answers.AuditRow, customer func(answers.AuditRow) page.Node) page.Node {
	shown, alike, _ := r.differing(xslices.Rows(rows)) // rows without an error
	r.alike = alike
	table := page.Listing("Rows", xslices.Map(shown, func(c personColumn) string { return c.title }), xslices.Map(rows, func(row answers.AuditRow) []page.Node {
		return xslices.Map(shown, func(c personColumn) page.Node {
			if c.title == "Tenant" {
				return customer(row)
			}
			return c.of(row)
		})
	})...)
	return page.Group{r.Bar(), r.findings(), page.Section("rows", "Identities in tenants", r.inEveryRow(), table)}
}

// findings are the classes of roles, and why rows are unknown.
func (r Report) findings() page.Node { return page.Group{r.roles(), r.causes()} }

// inEveryRow says what no column repeats.
func (r Report) inEveryRow() page.Node {
	if len(r.alike) == 0 {
		return nil
	}
	return page.El("p", page.Class("note"), page.Text("In every row: "), page.Untrusted(strings.Join(r.alike, "; ")))
}

// causes say why rows are unknown.
func (r Report) causes() page.Node {
	if len(r.Causes) == 0 {
		return nil
	}
	rows := xslices.Map(r.Causes, func(c answers.AuditCause) []page.Node {
		return []page.Node{
			page.Text(count(c.Rows)), page.El("code", page.Text(string(c.Code))), page.Text(c.Credential),
			page.Text(c.Example + ": " + c.Message), page.Text(problems.NextStep(c.Hint, c.Command)),
		}
	})
	others := r.OtherCauses()
	return page.Section("causes", "Why rows are unknown", note("Unknown is not missing: these links are unknown until the cause is fixed."),
		page.Listing("Why rows are unknown", []string{"#Rows", "Problem", "Credential", "For example", "What to do"}, rows...), page.If(others > 0, note(furtherCauses(others))))
}

// table is the table of rows.
func (r Report) table(rows Rows) page.Node {
	head := page.Each(r.shown, func(c personColumn) page.Node {
		return page.El("th", page.Attr("scope", "col"), page.Attr("aria-sort", "none"), page.El("button", page.Attr("type", "button"), page.Text(c.title)))
	})
	filter := page.El("label", page.Class("search"), page.Text("Filter "),
		page.El("input", page.Attr("id", "filter"), page.Attr("type", "search"), page.Attr("autocomplete", "off"), page.Attr("spellcheck", "false"), page.Attr("placeholder", "tenant, company, partner, label, owner")))
	return page.El("section", page.Attr("aria-labelledby", "rows"),
		page.El("div", page.Class("tools"), page.El("h2", page.Attr("id", "rows"), page.Text("Identities in tenants")), filter, page.El("output", page.Attr("id", "shown"), page.Attr("aria-live", "polite"))),
		r.inEveryRow(),
		page.El("div", page.Class("scroll"), page.El("table", page.Class("rows"), page.Attr("id", "table"), page.El("thead", page.El("tr", head)), page.El("tbody", page.Stream(rows, r.rowOf)))),
		page.El("p", page.Class("none"), page.Attr("id", "none"), page.Attr("hidden"), page.Text("No row matches the filter.")))
}

// rowOf is one row of the table.
func (r Report) rowOf(row answers.AuditRow) page.Node {
	return page.El("tr", page.Attr("data-state", string(row.State)), page.If(row.Stale, page.Attr("data-stale", "")), page.Each(r.shown, func(c personColumn) page.Node {
		if c.title == "Tenant" {
			return page.El("th", page.Attr("scope", "row"), c.of(row))
		}
		return page.El("td", c.of(row))
	}))
}

// restsOn says what the page is silent about.
func (r Report) restsOn() string {
	if !r.Audit().Roles {
		return "Roles and earned credit were not checked."
	}
	return "Roles were compared with Microsoft's list of roles for partner earned credit; Microsoft decides whether a subscription is credited. Other identities and admin-on-behalf-of were not checked."
}

// roles count the classes of link and roles.
func (r Report) roles() page.Node {
	if !r.Audit().Roles {
		return nil
	}
	var rows [][]page.Node
	for _, class := range answers.PECClasses() {
		if n := r.Totals[class]; n > 0 {
			rows = append(rows, []page.Node{page.Text(count(n)), page.Text(answers.PECClassTitle(class))})
		}
	}
	const title = "Roles for partner earned credit"
	return page.Section("roles", title, page.Listing(title, []string{"#Rows", "Link and roles"}, rows...))
}

// bar lays out the totals. Every state that occurs is wide enough to be seen, even
// one missing link of ten thousand.
func (r Report) bar() []segment {
	const whole, least = 1000.0, 8.0
	groups, wide := r.states(), 0
	for _, state := range groups {
		wide += r.Totals[state]
	}
	if wide == 0 {
		return nil
	}
	spread := whole - least*float64(len(groups))
	at, bar := 0.0, []segment(nil)
	for _, state := range groups {
		width := least + spread*float64(r.Totals[state])/float64(wide)
		bar = append(bar, segment{state, StateTitle(state), r.Totals[state], at, width})
		at += width
	}
	return bar
}

// states are the states that occur.
func (r Report) states() []string {
	return slices.DeleteFunc(r.totalsShown(), func(total string) bool { return total == "stale" || answers.PECClassTitle(total) != "" })
}

func note(text string) page.Node { return page.El("p", page.Class("note"), page.Text(text)) }

// chipsOf are the buttons that filter by state.
func chipsOf(chips ...page.Node) page.Node {
	return page.El("div", page.Attr("role", "group"), page.Attr("aria-label", "Show rows by state"), page.El("ul", append([]page.Node{page.Class("chips"), page.Attr("id", "chips")}, chips...)...))
}

// dot is the mark that has the colour of a state.
func dot() page.Node { return page.El("span", page.Class("dot"), page.Attr("aria-hidden", "true")) }

func count(n int) string { return strconv.Itoa(n) }

// size formats a length of the drawing.
func size(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
