package page

import (
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
)

// Trend is a line through values, the oldest first; said tells the same in words.
func Trend(values []int, said string) Node {
	const width, height = 600.0, 80.0
	top := 1
	for _, value := range values {
		top = max(top, value)
	}
	points := make([]string, len(values))
	for i, value := range values {
		x := width * float64(i) / float64(max(len(values)-1, 1))
		points[i] = fmt.Sprintf("%.1f,%.1f", x, 4+(height-8)*(1-float64(value)/float64(top)))
	}
	return g.El("svg", g.Attr("class", "trend"), g.Attr("role", "img"), g.Attr("aria-label", said), g.Attr("preserveAspectRatio", "none"),
		g.Attr("viewBox", fmt.Sprintf("0 0 %g %g", width, height)), g.El("polyline", g.Attr("class", "line"), g.Attr("points", strings.Join(points, " "))))
}
