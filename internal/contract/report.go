package contract

import (
	"fmt"
	"slices"
	"strings"
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
	Name string `json:"check"`
	// Documented and Answered are one line each.
	Documented string  `json:"documented"`
	Answered   string  `json:"answered"`
	Verdict    Verdict `json:"verdict"`
	// Details are what differs, then what is worth knowing.
	Details []string `json:"details,omitempty"`
	// Shape is the body of the answer with its values taken out.
	Shape string `json:"shape,omitempty"`
	// Settles is the open question of docs/limits.md that the answer closes.
	Settles string `json:"settles,omitempty"`
}

// Report is the outcome of Verify.
type Report struct {
	Program    string    `json:"program"`
	APIVersion string    `json:"api_version"`
	Cloud      string    `json:"cloud"`
	Credential string    `json:"credential_kind"`
	Simulated  bool      `json:"simulated"`
	Time       time.Time `json:"time"`
	// Wrote is true where a link was made and removed.
	Wrote  bool    `json:"wrote"`
	Checks []Check `json:"checks"`
	// Remains says what was left behind and why; "" for nothing.
	Remains string `json:"remains,omitempty"`
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

// Markdown is the report as it can be pasted into an issue.
func (r Report) Markdown() string {
	var b strings.Builder
	b.WriteString("## The provider and its contract\n\n")
	how := "read only"
	if r.Wrote {
		how = "a whole life of a link"
	}
	cloud := r.Cloud
	if r.Simulated {
		cloud = "simulated"
	}
	fmt.Fprintf(&b, "- %s, api-version %s, %s cloud, credential: %s, %s\n- %s\n- **%s**\n\n",
		r.Program, r.APIVersion, cloud, r.Credential, how, r.Time.UTC().Format(time.RFC3339), r.Summary())
	b.WriteString("Tenant, identity and partner are left out; bodies are shown without their values.\n\n")
	b.WriteString("| Check | Documented | Answered | Verdict |\n|---|---|---|---|\n")
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(c.Name), cell(c.Documented), cell(c.Answered), c.Verdict)
	}
	for _, c := range r.Checks {
		b.WriteString(c.details())
	}
	if r.Remains != "" {
		b.WriteString("\n**" + cell(r.Remains) + "**\n")
	}
	return b.String()
}

func (c Check) details() string {
	if len(c.Details) == 0 && c.Shape == "" && c.Settles == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s: %s\n", cell(c.Name), c.Verdict)
	points := slices.Clone(c.Details)
	if c.Settles != "" && slices.Contains([]Verdict{Settled, Differs}, c.Verdict) {
		points = append(points, "closes the open question: "+c.Settles)
	}
	if len(points) > 0 {
		b.WriteString("\n")
	}
	for _, point := range points {
		b.WriteString("- " + cell(point) + "\n")
	}
	if c.Shape != "" {
		b.WriteString("\n```json\n" + strings.ReplaceAll(c.Shape, "```", "'''") + "\n```\n")
	}
	return b.String()
}

// cell keeps a text in its place in a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "`", "'", "<", "&lt;", "*", `\*`, "[", `\[`).Replace(text)
}
