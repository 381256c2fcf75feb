package contract

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Verdict is how a check came out.
type Verdict string

// The verdicts. Settled is a new answer that the document allows; Untold an
// inconclusive one, such as a 429.
const (
	Agrees  Verdict = "agrees"
	Settled Verdict = "settled"
	Differs Verdict = "differs"
	Untold  Verdict = "not told"
	Skipped Verdict = "not asked"
)

// Check is one comparison. Its texts hold nothing that would name a tenant, an
// identity or a partner, and no token.
type Check struct {
	Name string
	// Documented and Answered are one line each.
	Documented string
	Answered   string
	Verdict    Verdict
	// Details are what differs, then what is worth knowing.
	Details []string
	// Shape is the body of the answer with its values taken out.
	Shape string
	// Settles is the open question of docs/limits.md that the answer closes.
	Settles string
}

// Report is the outcome of Verify.
type Report struct {
	Program    string
	APIVersion string
	Cloud      string
	Credential string
	Simulated  bool
	Time       time.Time
	// Wrote is true where a link was made and removed.
	Wrote  bool
	Checks []Check
	// Remains says what was left behind and why; "" for nothing.
	Remains string
}

// Agreed reports whether the provider kept the document in everything that was
// asked, and nothing was left behind.
func (r Report) Agreed() bool {
	return r.Remains == "" && r.count(Differs)+r.count(Untold) == 0
}

func (r Report) count(v Verdict) (n int) {
	for _, check := range r.Checks {
		if check.Verdict == v {
			n++
		}
	}
	return n
}

// Summary is one line.
func (r Report) Summary() string {
	var parts []string
	for _, v := range []Verdict{Agrees, Settled, Differs, Untold, Skipped} {
		if n := r.count(v); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", v, n))
		}
	}
	return strings.Join(parts, ", ")
}

//go:embed report.md.tmpl
var reportTemplate string

// Markdown is the report as it can be pasted into an issue.
func (r Report) Markdown() string {
	page := template.New("report").Funcs(template.FuncMap{"cell": cell, "fenced": func(text string) string { return strings.ReplaceAll(text, "```", "'''") }})
	var b strings.Builder
	if err := template.Must(page.Parse(reportTemplate)).Execute(&b, r); err != nil {
		panic("contract: " + err.Error()) // the tests write every part of it
	}
	return b.String()
}

// Closes is the open question that the answer closes, or "".
func (c Check) Closes() string {
	if c.Verdict == Settled || c.Verdict == Differs {
		return c.Settles
	}
	return ""
}

// cell keeps a text in its place in a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "`", "'", "<", "&lt;", "*", `\*`, "[", `\[`).Replace(text)
}
