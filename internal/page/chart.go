package page

import (
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
)

// Part is one part of a whole, with the kind of its State.
type Part struct {
	Kind, Name string
	Count      int
}

// chartWidth is the width of the charts in their own units.
const chartWidth = 600.0

// Bar shows parts of a whole beside each other. What it shows is said in words too.
func Bar(parts ...Part) Node {
	whole, said := 0, make([]string, len(parts))
	for i, part := range parts {
		whole += part.Count
		said[i] = fmt.Sprintf("%d %s", part.Count, part.Name)
	}
	var shapes []Node
	at := 0.0
	for _, part := range parts {
		width := chartWidth * float64(part.Count) / float64(max(whole, 1))
		shapes = append(shapes, g.El("rect", g.Attr("class", "fill "+part.Kind), number("x", at), number("width", width), g.Attr("height", "16"), g.El("title", g.Textf("%d %s", part.Count, part.Name))))
		at += width
	}
	return drawing("bar", 16, strings.Join(said, ", "), shapes...)
}

// Trend is a line through values, the oldest first; said tells the same in words.
func Trend(values []int, said string) Node {
	const height = 80.0
	top := 1
	for _, value := range values {
		top = max(top, value)
	}
	points := make([]string, len(values))
	for i, value := range values {
		x := chartWidth * float64(i) / float64(max(len(values)-1, 1))
		points[i] = fmt.Sprintf("%.1f,%.1f", x, 4+(height-8)*(1-float64(value)/float64(top)))
	}
	return drawing("trend", height, said, g.El("polyline", g.Attr("class", "line"), g.Attr("points", strings.Join(points, " "))))
}

func drawing(class string, height float64, said string, shapes ...Node) Node {
	return g.El("svg", g.Attr("class", class), g.Attr("role", "img"), g.Attr("aria-label", said), g.Attr("preserveAspectRatio", "none"),
		g.Attr("viewBox", fmt.Sprintf("0 0 %g %g", chartWidth, height)), g.Group(shapes))
}

func number(name string, value float64) Node { return g.Attr(name, fmt.Sprintf("%.2f", value)) }
