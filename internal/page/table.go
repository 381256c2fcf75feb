package page

import (
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// Listing is a table with a name for who does not see it. Columns whose head begins
// with # are numbers, aligned at the right; one without a head has buttons or links.
func Listing(caption string, heads []string, rows ...[]Node) Node {
	numeric := make([]bool, len(heads))
	head := make([]Node, len(heads))
	for i, text := range heads {
		if text != "" && text[0] == '#' {
			text, numeric[i] = text[1:], true
		}
		name := g.Text(text)
		if text == "" {
			name = h.Span(h.Class("unseen"), g.Text("What you can do"))
		}
		head[i] = h.Th(h.Scope("col"), g.If(numeric[i], h.Class("number")), name)
	}
	return h.Div(h.Class("scroll"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "Table: "+caption), h.Table(
		h.THead(h.Tr(g.Group(head))),
		h.TBody(g.Map(rows, func(cells []Node) Node {
			var row []Node
			for i, cell := range cells {
				row = append(row, h.Td(g.If(i < len(numeric) && numeric[i], h.Class("number")), cell))
			}
			return h.Tr(row...)
		})),
	))
}

// State is a word with the colour of how much it matters: good, bad, warn or plain.
// The colour says nothing that the word does not.
func State(kind, word string) Node { return h.Span(h.Class("state "+kind), g.Text(word)) }

// Time is a moment in UTC, which a script shows in the reader's zone.
func Time(at time.Time) Node {
	if at.IsZero() {
		return g.Text("-")
	}
	utc := at.UTC().Format("2006-01-02 15:04 UTC")
	return h.Time(h.DateTime(at.UTC().Format(time.RFC3339)), h.Title(utc), g.Text(utc))
}

// Weekday is Time for a sentence, with the day of the week.
func Weekday(at time.Time) Node {
	utc := at.UTC().Format("Mon 2006-01-02 15:04 UTC")
	return h.Time(h.DateTime(at.UTC().Format(time.RFC3339)), h.Title(utc), g.Attr("data-weekday", ""), g.Text(utc))
}

// TimeOf is Time of text in RFC 3339; other text is shown as it is.
func TimeOf(text string) Node {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Untrusted(text)
	}
	return Time(at)
}

// Problem says what is wrong and the next step: our own words and a command.
func Problem(message, hint, command string) Node {
	return h.Div(h.Class("problem"), h.Role("alert"), h.P(g.Text(message)), g.If(hint != "", h.P(g.Text(hint))),
		g.Iff(command != "", func() Node { return h.P(h.Code(g.Text(command))) }))
}

// Folded is content that is shown on demand, also without a script.
func Folded(summary string, content ...Node) Node {
	return h.Details(h.Summary(g.Text(summary)), g.Group(content))
}

// Search is a form that asks for the page again with its fields in the address.
func Search(action string, content ...Node) Node {
	return h.Form(h.Class("search"), h.Method("get"), h.Action(action), h.Role("search"), g.Group(content),
		h.Button(h.Type("submit"), g.Text("Show")))
}

// Choice is a labelled list to choose one of: values and words in turn.
func Choice(name, label, chosen string, pairs ...string) Node {
	var options []Node
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, h.Option(h.Value(pairs[i]), g.If(pairs[i] == chosen, h.Selected()), g.Text(pairs[i+1])))
	}
	return h.Label(g.Text(label), h.Select(h.Name(name), g.Group(options)))
}

// Row stands beside each other what fits, and below each other what does not.
func Row(content ...Node) Node { return h.Div(h.Class("row"), g.Group(content)) }

// Polled is a line that a script refreshes from an address of this server, which answers
// {"text": ..., "done": ...}; when that is done the page is loaded again.
func Polled(path, text string) Node {
	return h.P(h.Role("status"), g.Attr("data-poll", path), g.Text(text))
}

// Download leads to a file.
func Download(path, text string) Node { return h.A(h.Href(path), h.Download(""), g.Text(text)) }
