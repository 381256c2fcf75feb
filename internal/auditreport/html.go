package auditreport

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"

	"mcp-partner/schemas/answers"
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
	out := bufio.NewWriter(w)
	if err := r.page(rows).Render(out); err != nil {
		return err
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
		bar = append(bar, segment{state, stateTitle(state), r.Totals[state], at, width})
		at += width
	}
	return bar
}

// states are the states that occur.
func (r Report) states() []string {
	return slices.DeleteFunc(r.totalsShown(), func(total string) bool { return total == "stale" || answers.PECClassTitle(total) != "" })
}

func count(n int) string { return strconv.Itoa(n) }

// size formats a length of the drawing.
func size(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
