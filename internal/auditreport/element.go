package auditreport

import "golang.org/x/net/html"

// The page is made of nodes, and written by a renderer that escapes every text
// and every value of an attribute: there is no way to put markup in by data. A
// template would do so too, and would cost the program 4 MB, because it looks
// methods up by name and so keeps those of every type that is linked.

// el makes an element of its attributes and children; nil children are left out.
func el(name string, attributes []html.Attribute, children ...*html.Node) *html.Node {
	node := &html.Node{Type: html.ElementNode, Data: name, Attr: attributes}
	for _, child := range children {
		if child != nil {
			node.AppendChild(child)
		}
	}
	return node
}

// at makes attributes of names and values in turn.
func at(pairs ...string) []html.Attribute {
	attributes := make([]html.Attribute, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, html.Attribute{Key: pairs[i], Val: pairs[i+1]})
	}
	return attributes
}

func text(s string) *html.Node { return &html.Node{Type: html.TextNode, Data: s} }

// when leaves an element out unless something is so.
func when(so bool, node func() *html.Node) *html.Node {
	if !so {
		return nil
	}
	return node()
}

// said is an element with one text in it.
func said(name, class, s string) *html.Node {
	if class == "" {
		return el(name, nil, text(s))
	}
	return el(name, at("class", class), text(s))
}

// foreign is untrusted text, isolated in its writing direction.
func foreign(s string) *html.Node { return el("bdi", nil, text(s)) }

// dot is the mark that has the colour of a state.
func dot() *html.Node { return el("span", at("class", "dot", "aria-hidden", "true")) }
