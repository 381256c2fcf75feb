package auditreport

import (
	"io"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// page is the document; its rows are rendered as they come.
func (r Report) page(rows Rows) g.Node {
	body := g.Group{r.totals(), r.roles(), r.causes(), r.table(rows)}
	const foot = "A link belongs to one identity in one tenant; other identities may have others. Partner names come from Azure. "
	return document(r.title(), r.Summary, r.facts(), body, foot+r.restsOn(), h.Script(g.Raw(scriptText)))
}

// facts describe the run of the report.
func (r Report) facts() g.Node {
	info, audit := r.Info(), r.Audit()
	var facts g.Group
	add := func(name, value string) {
		facts = append(facts, h.Div(h.Dt(g.Text(name)), h.Dd(g.If(name == "Run", h.Code(g.Text(value))), g.If(name != "Run", g.Text(value)))))
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
	return h.Dl(h.Class("facts"), facts)
}

// totals are a bar and filter buttons for each state.
func (r Report) totals() g.Node {
	var chips, legend g.Group
	for _, state := range r.totalsShown() {
		if title, meaning := stateWords(state); meaning != "" {
			legend = append(legend, h.Div(h.Dt(g.Text(title)), h.Dd(g.Text(meaning))))
		}
	}
	for _, state := range r.states() {
		if state != pending {
			chips = append(chips, h.Li(h.Button(h.Type("button"), h.Class("chip s-"+state), h.Data("state", state), h.Aria("pressed", "true"),
				dot(), h.B(g.Text(count(r.Totals[state]))), g.Text(" "+stateTitle(state)))))
		}
	}
	if n := r.Totals["stale"]; n > 0 {
		chips = append(chips, h.Li(h.Button(h.Type("button"), h.Class("chip stale"), h.Data("stale", ""), h.Aria("pressed", "false"), h.B(g.Text(count(n))), g.Text(" Only stale"))))
	}
	waiting := r.Totals[pending]
	return section("totals", "Totals", r.drawing(),
		h.Ul(h.Class("chips"), h.ID("chips"), h.Role("group"), h.Aria("label", "Show rows by state"), chips), h.Dl(h.Class("legend"), legend),
		g.If(waiting > 0, note(count(waiting)+" without a result yet.")))
}

// drawing is the bar, with its numbers as a title for screen readers.
func (r Report) drawing() g.Node {
	segments := r.bar()
	if len(segments) == 0 {
		return nil
	}
	title := func(s segment) string { return count(s.Count) + " " + s.Title }
	return h.SVG(h.Class("bar"), g.Attr("viewBox", "0 0 1000 36"), g.Attr("preserveAspectRatio", "none"), h.Role("img"), h.Aria("labelledby", "bar-title"),
		g.El("title", h.ID("bar-title"), g.Text(strings.Join(xslices.Map(segments, title), ", "))),
		g.Map(segments, func(s segment) g.Node {
			return g.El("rect", h.Class("s-"+s.State), g.Attr("x", size(s.At)), g.Attr("y", "0"), h.Width(size(s.Width)), h.Height("36"), g.El("title", g.Text(title(s))))
		}))
}

// causes say why rows are unknown.
func (r Report) causes() g.Node {
	if len(r.Causes) == 0 {
		return nil
	}
	body := g.Map(r.Causes, func(c answers.AuditCause) g.Node {
		return h.Tr(number(count(c.Rows)), h.Td(h.Code(g.Text(string(c.Code)))), td(c.Credential), td(c.Example+": "+c.Message), td(problems.NextStep(c.Hint, c.Command)))
	})
	others := r.OtherCauses()
	return section("causes", "Why rows are unknown", note("Unknown is not missing: these links are unknown until the cause is fixed."),
		table([]string{"Rows", "Problem", "Credential", "For example", "What to do"}, body), g.If(others > 0, note(furtherCauses(others))))
}

// table is the table of rows.
func (r Report) table(rows Rows) g.Node {
	head := g.Map(r.shown, func(c personColumn) g.Node {
		return h.Th(h.Scope("col"), h.Aria("sort", "none"), h.Button(h.Type("button"), g.Text(c.title)))
	})
	filter := h.Label(h.Class("search"), g.Text("Filter "),
		h.Input(h.ID("filter"), h.Type("search"), h.AutoComplete("off"), g.Attr("spellcheck", "false"), h.Placeholder("tenant, company, partner, label, owner")))
	return h.Section(h.Aria("labelledby", "rows"),
		h.Div(h.Class("tools"), h.H2(h.ID("rows"), g.Text("Identities in tenants")), filter, g.El("output", h.ID("shown"), h.Aria("live", "polite"))),
		g.If(len(r.alike) > 0, h.P(h.Class("note"), g.Text("In every row: "), bdi(strings.Join(r.alike, "; ")))),
		h.Div(h.Class("scroll"), h.Table(h.Class("rows"), h.ID("table"), h.THead(h.Tr(head)), h.TBody(r.rows(rows)))),
		h.P(h.Class("none"), h.ID("none"), g.Attr("hidden"), g.Text("No row matches the filter.")))
}

// rows are the rows of the table, none of which is kept.
func (r Report) rows(rows Rows) g.Node {
	return g.NodeFunc(func(w io.Writer) error {
		for row, err := range rows {
			if err == nil {
				err = r.rowOf(row).Render(w)
			}
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// rowOf is one row of the table.
func (r Report) rowOf(row answers.AuditRow) g.Node {
	return h.Tr(h.Data("state", string(row.State)), g.If(row.Stale, h.Data("stale", "")), g.Map(r.shown, func(c personColumn) g.Node {
		cell := bdi(c.text(row))
		if c.cell != nil {
			cell = c.cell(row)
		}
		if c.title == "Tenant" {
			return h.Th(h.Scope("row"), cell)
		}
		return h.Td(cell)
	}))
}
