package auditreport

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"mcp-partner/schemas"
)

// The page, its style and its script. Style and script are put in whole, and the
// page's policy allows these two by their hashes and nothing else: no other
// script, no image, no font, no request.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string
	//go:embed page.js
	scriptText string
)

// page is what the template shows.
type page struct {
	Report
	Title  string
	Policy string
	Style  template.CSS
	Script template.JS
	Bar    []segment
	Groups []group
	Rows   func(yield func(schemas.AuditRow) bool)
}

// segment is one part of the bar of totals, in per mille of its width.
type segment struct {
	State, Title string
	Count        int
	At, Width    float64
}

// group is a state that rows can be filtered by.
type group struct {
	State, Title string
	Count        int
}

// html writes the whole report as one file.
func (r Report) html(w io.Writer, rows Rows) error {
	parsed, err := template.New("page").Funcs(template.FuncMap{"state": stateOf, "day": day, "why": why}).Parse(pageText)
	if err != nil {
		return err
	}
	var failure error
	out := bufio.NewWriter(w)
	shown := page{
		Report: r, Title: "Partner links" + titled(r.Run.Label, func(s string) string { return s }), Policy: policy(),
		Style: template.CSS(styleText), Script: template.JS(scriptText), //nolint:gosec // both are files of this package
		Bar: r.bar(), Groups: r.groups(),
		Rows: func(yield func(schemas.AuditRow) bool) {
			for row, err := range rows {
				if failure = err; err != nil || !yield(row) {
					return
				}
			}
		},
	}
	if err := parsed.Execute(out, shown); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	return out.Flush()
}

// policy is the Content-Security-Policy of the page.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'", hashOf(styleText), hashOf(scriptText))
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// bar lays the totals out side by side. Every state that occurs is wide enough
// to be seen: one missing link of ten thousand is the point of the report.
func (r Report) bar() []segment {
	const whole, least = 1000.0, 8.0
	groups, wide := r.groups(), 0
	for _, g := range groups {
		wide += g.Count
	}
	if wide == 0 {
		return nil
	}
	spread := whole - least*float64(len(groups))
	at, bar := 0.0, []segment(nil)
	for _, g := range groups {
		width := least + spread*float64(g.Count)/float64(wide)
		bar = append(bar, segment{g.State, g.Title, g.Count, at, width})
		at += width
	}
	return bar
}

// groups are the states that occur.
func (r Report) groups() (found []group) {
	for _, state := range append(schemas.RowStates(), "pending") {
		if n := r.Totals[string(state)]; n > 0 {
			found = append(found, group{string(state), stateTitle(string(state)), n})
		}
	}
	return found
}
