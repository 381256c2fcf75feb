package auditreport

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// markdown writes a page for a wiki or a ticket.
func (r Report) markdown(w io.Writer, rows Rows) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s\n\n%s\n\n", EscapeMarkdown(r.title()), r.Summary)
	fmt.Fprintf(out, "Run `%s`, begun %s.\n\n", r.Run.ID, stamp(r.Run.CreatedAt))
	line(out, "State", "Rows", "Meaning")
	line(out, "---", "---:", "---")
	for _, state := range r.totalsShown() {
		title, meaning := stateWords(state)
		line(out, title, fmt.Sprint(r.Totals[state]), meaning)
	}
	r.markdownCauses(out)
	fmt.Fprint(out, "\n## Rows\n\n")
	if len(r.alike) > 0 {
		fmt.Fprintf(out, "In every row: %s.\n\n", EscapeMarkdown(strings.Join(r.alike, "; ")))
	}
	cells := xslices.Map(r.shown, func(c personColumn) string { return c.title })
	line(out, cells...)
	line(out, slices.Repeat([]string{"---"}, len(cells))...)
	for row, err := range rows {
		if err != nil {
			return err
		}
		for i, c := range r.shown {
			cells[i] = EscapeMarkdown(c.text(row))
		}
		line(out, cells...)
	}
	return out.Flush()
}

func (r Report) markdownCauses(out io.Writer) {
	if len(r.Causes) == 0 {
		return
	}
	fmt.Fprint(out, "\n## Why rows are unknown\n\n")
	line(out, "Rows", "Problem", "Credential", "For example", "What to do")
	line(out, "---:", "---", "---", "---", "---")
	for _, c := range r.Causes {
		line(out, fmt.Sprint(c.Rows), EscapeMarkdown(string(c.Code)), EscapeMarkdown(c.Credential), EscapeMarkdown(c.Example+": "+c.Message), EscapeMarkdown(problems.NextStep(c.Hint, c.Command)))
	}
	if n := r.OtherCauses(); n > 0 {
		fmt.Fprintf(out, "\n%s\n", furtherCauses(n))
	}
}

// furtherCauses counts unknown rows whose causes are not listed.
func furtherCauses(n int) string {
	return phrase.Count(n, "more row") + " unknown for other causes; each row names its own."
}

func line(out io.Writer, cells ...string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }

// markdownSigns are characters that a renderer might read as markup, HTML
// included.
const markdownSigns = "\\`*_{}[]()<>#+-.!|~&:@"

// EscapeMarkdown escapes a text for a table. Only signs get a backslash; before
// letters it would be shown.
func EscapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		switch {
		case r == '<':
			b.WriteString("&lt;") // renderers that keep HTML would look behind the backslash
			continue
		case strings.ContainsRune(markdownSigns, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
