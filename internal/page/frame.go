package page

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// Frame is what the pages of the console have around them.
type Frame struct {
	// Home is where the name of the console leads.
	Home   string
	Places []Place
	// Who is signed in: untrusted text.
	Who string
	// Stop is where a person stops everything; "" for who may not.
	Stop string
	// Alarm stands above every page; nil for none.
	Alarm Node
}

// Place is an entry of the navigation. Here says that the page is below it.
type Place struct {
	Path, Name string
	Here       bool
	// Count is how many things wait there; 0 shows nothing.
	Count int
}

func (f *Frame) above() Node {
	if f == nil {
		return nil
	}
	return g.Group{
		h.A(h.Class("skip"), h.Href("#main"), g.Text("Skip to the page")),
		h.Header(h.Class("frame"),
			h.A(h.Class("home"), h.Href(f.Home), g.Text("Partner Admin Link")),
			h.Nav(h.Aria("label", "Console"), h.Ul(g.Map(f.Places, Place.node))),
			g.If(f.Stop != "", h.A(h.Class("stop"), h.Href(f.Stop), g.Text("Stop writes"))),
			h.P(h.Class("who"), h.A(h.Href("/account"), Untrusted(f.Who))),
		),
		g.Iff(f.Alarm != nil, func() Node { return h.Div(h.Class("alarm"), h.Role("status"), f.Alarm) }),
	}
}

func (p Place) node() Node {
	return h.Li(h.A(h.Href(p.Path), g.If(p.Here, h.Aria("current", "page")), g.Text(p.Name), g.Iff(p.Count > 0, func() Node {
		return g.Group{g.Text(" "), h.Span(h.Class("count"), g.Textf("%d", p.Count), h.Span(h.Class("unseen"), g.Text(" waiting")))}
	})))
}
