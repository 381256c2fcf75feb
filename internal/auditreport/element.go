package auditreport

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// The page is made of nodes, which escape every text and every value of an
// attribute: there is no way to put markup in by data. A template would do so too,
// and would cost the program 4 MB, because it looks methods up by name and so keeps
// those of every type that is linked.

// document is a page in one file. Its policy allows style and script by hash: no
// other script, no image, no font, no request.
func document(title, lead string, facts, body g.Node, foot string, script g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content(policy())),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("referrer"), h.Content("no-referrer")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(title)), h.StyleEl(g.Raw(styleText)),
		),
		h.Body(
			h.Header(h.H1(g.Text(title)), h.P(h.Class("lead"), g.Text(lead)), facts),
			h.Main(body),
			h.Footer(h.P(g.Text(foot))),
			script,
		),
	))
}

func section(id, title string, children ...g.Node) g.Node {
	return h.Section(h.Aria("labelledby", id), h.H2(h.ID(id), g.Text(title)), g.Group(children))
}

// table is a table with plain heads of its columns; Rows is a number.
func table(heads []string, body g.Node) g.Node {
	return h.Div(h.Class("scroll"), h.Table(h.Class("causes"), h.THead(h.Tr(g.Map(heads, func(head string) g.Node {
		return h.Th(h.Scope("col"), g.If(head == "Rows", h.Class("number")), g.Text(head))
	}))), h.TBody(body)))
}

func td(s string) g.Node { return h.Td(g.Text(s)) }

func number(s string) g.Node { return h.Td(h.Class("number"), g.Text(s)) }

func note(s string) g.Node { return h.P(h.Class("note"), g.Text(s)) }

func span(class, s string) g.Node { return h.Span(h.Class(class), g.Text(s)) }

// bdi is untrusted text, isolated in its writing direction.
func bdi(s string) g.Node { return g.El("bdi", g.Text(s)) }

// dot is the mark that has the colour of a state.
func dot() g.Node { return h.Span(h.Class("dot"), h.Aria("hidden", "true")) }
