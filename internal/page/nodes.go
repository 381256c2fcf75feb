package page

import (
	"io"
	"iter"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// El is an element that has no function here, and Attr an attribute.
func El(name string, children ...Node) Node      { return g.El(name, children...) }
func Attr(name string, value ...string) Node     { return g.Attr(name, value...) }
func Class(names string) Node                    { return h.Class(names) }
func If(condition bool, node Node) Node          { return g.If(condition, node) }
func Each[T any](list []T, do func(T) Node) Node { return g.Map(list, do) }

// Stream are the nodes of a sequence, rendered as they come: none is kept.
func Stream[T any](all iter.Seq2[T, error], do func(T) Node) Node {
	return g.NodeFunc(func(w io.Writer) error {
		for one, err := range all {
			if err == nil {
				err = Group{do(one), Text("\n")}.Render(w)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// P is a paragraph of our own words.
func P(text string) Node { return h.P(g.Text(text)) }

// Line is a paragraph of several pieces.
func Line(pieces ...Node) Node { return h.P(g.Group(pieces)) }

// Warning is a paragraph that stands out, also for who sees no colours.
func Warning(text string) Node {
	return h.P(h.Class("warning"), h.Role("alert"), h.Strong(g.Text("Warning: ")), g.Text(text))
}

// Text is a piece of our own words, and Untrusted one of somebody else's: it is
// isolated in its writing direction.
func Text(text string) Node      { return g.Text(text) }
func Untrusted(text string) Node { return g.El("bdi", g.Text(text)) }

// Strong is an untrusted text that decides: a host, a name.
func Strong(text string) Node { return h.Strong(Untrusted(text)) }

// Heading is a heading below that of the page.
func Heading(text string) Node { return h.H2(g.Text(text)) }

// List is a list of points.
func List(points ...Node) Node {
	return h.Ul(g.Map(points, func(point Node) Node { return h.Li(point) }))
}

// Facts are names with values, in turn.
func Facts(pairs ...Node) Node {
	var rows []Node
	for i := 0; i+1 < len(pairs); i += 2 {
		rows = append(rows, h.Dt(pairs[i]), h.Dd(pairs[i+1]))
	}
	return h.Dl(rows...)
}

// Form is a form that posts to an address of this server. Token is the form token of
// the session or of the flow.
func Form(action, token string, content ...Node) Node {
	return h.Form(h.Method("post"), h.Action(action), Hidden("form_token", token), g.Group(content))
}

// Hidden is a value that goes with a form.
func Hidden(name, value string) Node { return h.Input(h.Type("hidden"), h.Name(name), h.Value(value)) }

// Field is a labelled line of text.
func Field(name, label, value string, attributes ...Node) Node {
	return h.Label(g.Text(label), h.Input(h.Type("text"), h.Name(name), h.Value(value), g.Group(attributes)))
}

// Area is a labelled text of some lines. Unlike in Field, the key Enter presses no button.
func Area(name, label string, attributes ...Node) Node {
	return h.Label(g.Text(label), h.Textarea(h.Name(name), h.Rows("2"), h.MaxLength("120"), g.Group(attributes)))
}

// Check is a labelled check box.
func Check(name, value string, checked bool, label ...Node) Node {
	return h.Label(h.Class("check"), h.Input(h.Type("checkbox"), h.Name(name), h.Value(value), g.If(checked, h.Checked())), h.Span(g.Group(label)))
}

// Button submits a form with a value. The main one of a form stands out; all are of one
// size, so that no is as easy as yes.
func Button(name, value, label string, main bool) Node {
	return h.Button(h.Type("submit"), h.Name(name), h.Value(value), g.If(main, h.Class("main")), g.Text(label))
}

// PasskeyButton sends a form with a passkey's answer, and the name and value with it. It
// works by a script, and is hidden without one.
func PasskeyButton(name, value, label string, main bool) Node {
	return h.Button(h.Type("button"), h.Name(name), h.Value(value), g.If(main, h.Class("main")), g.Attr("data-passkey"), g.Attr("hidden"), g.Text(label))
}

// Status is a line that a script changes; what it says at first is for a browser
// without scripts.
func Status(text string) Node { return h.P(h.Role("status"), g.Text(text)) }

// Section is a part of a page with a heading.
func Section(id, title string, content ...Node) Node {
	return h.Section(h.Aria("labelledby", id), h.H2(h.ID(id), g.Text(title)), g.Group(content))
}

// Link leads to an address of this server.
func Link(path, text string) Node { return h.A(h.Href(path), g.Text(text)) }

// LinkTo leads to an address of this server by pieces of a page.
func LinkTo(path string, pieces ...Node) Node { return h.A(h.Href(path), g.Group(pieces)) }
