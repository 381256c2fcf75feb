package auditreport_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// hostile is text as a partner, a tenant or an operator might be called.
var hostile = []string{
	`<script>alert(1)</script>`, `</td></tr></table><img src=x onerror=alert(1)>`, `=HYPERLINK("https://evil.example","x")`,
	"| a | b |\n# heading", "`code` **bold** [link](https://evil.example) ![i](https://evil.example/i.png)", `" onmouseover="alert(1)`,
	"&lt;b&gt;", "\u202eevil", "https://evil.example", "javascript:alert(1)", "</style><script>alert(2)</script>", "{{.Policy}}",
}

// rowStates are six states, so that the fourth text is in an unknown row.
func rowStates() []answers.RowState {
	return slices.DeleteFunc(answers.RowStates(), func(s answers.RowState) bool { return s == answers.RowLinkedOwn })
}

func TestEveryStateHasItsTitleAndItsColor(t *testing.T) {
	t.Parallel()
	for _, state := range answers.RowStates() {
		only := func(yield func(answers.AuditRow, error) bool) {
			yield(answers.AuditRow{Tenant: "contoso", State: state}, nil)
		}
		r := sample()
		r.Totals = map[string]int{string(state): 1}
		var page, list bytes.Buffer
		if err := r.Write(&page, auditreport.HTML, only); err != nil {
			t.Fatal(err)
		}
		if err := r.Write(&list, auditreport.Markdown, only); err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^\|\s*\|`).Match(list.Bytes()) || !regexp.MustCompile(`\.s-`+string(state)+`\b[^}]*\{ --tone`).Match(page.Bytes()) {
			t.Errorf("%s has no title or no color:\n%s", state, list.String())
		}
	}
}

func rows() iter.Seq2[answers.AuditRow, error] {
	states := rowStates()
	return func(yield func(answers.AuditRow, error) bool) {
		for i, text := range hostile {
			row := answers.AuditRow{
				Tenant: text, Company: text, TenantID: "11111111-0000-4000-8000-000000000000", Credential: text, State: states[i%len(states)], Stale: i%3 == 0,
				PartnerID: "1234567", PartnerName: text, ExpectedPartnerID: "7654321", UpdatedTime: "2026-01-16T13:56:59.6112004Z",
				Labels: []string{text, "gold"}, Owner: text, ExternalID: text, CheckedAt: "2026-11-25T12:00:00Z",
			}
			if row.State == answers.RowUnknown {
				row.Problem = problems.New(problems.CodeForbidden, "ARM answered 403 at "+text, problems.WithRequestIDs("arm"+text, "correlation"))
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func sample() auditreport.Report {
	totals := map[string]int{"rows": len(hostile), "answered": len(hostile), "stale": 4}
	for i := range hostile {
		totals[string(rowStates()[i%6])]++
	}
	return auditreport.Report{
		Report: fleet.Report{
			Run: fleet.Run{ID: "run_0123456789abcdef01", Kind: fleet.RunKindAudit, Label: hostile[0], State: fleet.RunFinished, Rows: len(hostile),
				CreatedAt: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Request: json.RawMessage(`{"own_ids":["7654321"]}`)},
			Totals: totals,
			Causes: []answers.AuditCause{{Code: problems.CodeForbidden, Credential: hostile[1], Rows: 1, Message: hostile[2], Hint: hostile[4], Example: hostile[5]}},
		},
		Known:   func(*answers.AuditRow) *fleet.Acknowledgement { return nil },
		Summary: "A summary.", Program: "mcp-partner v1",
	}
}

func written(t *testing.T, format auditreport.Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := sample().Write(&b, format, rows()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCSV(t *testing.T) {
	t.Parallel()
	records, err := csv.NewReader(strings.NewReader(written(t, auditreport.CSV))).ReadAll()
	if err != nil || len(records) != len(hostile)+1 {
		t.Fatal(len(records), err)
	}
	for i, record := range records[1:] {
		for j, cell := range record {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("row %d, %s: %q is a formula", i, records[0][j], cell)
			}
		}
		if record[2] != strings.TrimPrefix(hostile[i], "'") && record[2] != "'"+hostile[i] {
			t.Errorf("row %d has the tenant %q", i, record[2])
		}
	}
}

// TestCompanyColumn: programs get it always, people where one row has a company.
func TestCompanyColumn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		companies []string
		shown     bool
	}{
		"none":     {[]string{"", ""}, false},
		"the last": {[]string{"", "Fabrikam Inc"}, true},
	} {
		found := func(yield func(answers.AuditRow, error) bool) {
			for _, company := range test.companies {
				if !yield(answers.AuditRow{Tenant: "t", Company: company, State: answers.RowLinked}, nil) {
					return
				}
			}
		}
		for _, format := range []auditreport.Format{auditreport.CSV, auditreport.Markdown, auditreport.HTML} {
			var b bytes.Buffer
			if err := sample().Write(&b, format, found); err != nil {
				t.Fatal(err)
			}
			heading := regexp.MustCompile(`(?m)^company,|\| Company \||>Company<`).MatchString(b.String())
			if heading != (test.shown || format == auditreport.CSV) || strings.Contains(b.String(), "Fabrikam Inc") != test.shown {
				t.Errorf("%s, %s: company column %v", name, format, heading)
			}
		}
	}
}

// Reports also name the partner's own IDs, explain the states and write dates in
// words.
func TestReportsForPeopleStateCommonValuesOnce(t *testing.T) {
	t.Parallel()
	for _, format := range []auditreport.Format{auditreport.Markdown, auditreport.HTML} {
		text := strings.ReplaceAll(written(t, format), `\`, "")
		for _, want := range []string{"Partner links, 25 November 2026: ", "(own ID 7654321)", "25 November 2026, 12:00 UTC",
			"In every row: ", "Partner ID: 1234567; Expected: 7654321; Last written: 2026-01-16", "no partner ID is linked to this identity"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", format, want)
			}
		}
		if strings.Contains(text, "2026-11-25T12:00:00Z") || regexp.MustCompile(`\| Expected \||>Expected<`).MatchString(text) {
			t.Errorf("%s: a time for programs or a column that is the same in every row", format)
		}
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	decoder := json.NewDecoder(strings.NewReader(written(t, auditreport.JSONL)))
	for _, text := range hostile {
		var row answers.AuditRow
		if err := decoder.Decode(&row); err != nil || row.Tenant != text {
			t.Errorf("%q: %q, %v", text, row.Tenant, err)
		}
	}
	if decoder.More() {
		t.Error("there are more lines than rows")
	}
}

// TestMarkdown: no data may end a cell, begin an element or make a link.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := written(t, auditreport.Markdown)
	_, table, _ := strings.Cut(text, "## Rows")
	table = strings.TrimSpace(table[strings.Index(table, "| State"):])
	lines := strings.Split(table, "\n")
	if len(lines) != len(hostile)+2 {
		t.Fatalf("%d lines:\n%s", len(lines), table)
	}
	bar := regexp.MustCompile(`(?:^|[^\\])\|`)
	for _, line := range lines {
		if n := len(bar.FindAllString(line, -1)); n != 11 {
			t.Errorf("%d cells in %s", n-1, line)
		}
	}
	if found := regexp.MustCompile("(?m)[^\\\\][`*<>\\[\\]!:]").FindString(strings.ReplaceAll(strings.Join(lines[2:], "\n"), "---:", "")); found != "" {
		t.Errorf("%q is not escaped in\n%s", found, table)
	}
}

// Support asks for request IDs, and causes that are not listed are counted.
func TestUnknownRowsNameRequestIDsAndCauses(t *testing.T) {
	t.Parallel()
	unescaped := strings.NewReplacer(`\`, "", "&#34;", `"`)
	for _, format := range []auditreport.Format{auditreport.CSV, auditreport.JSONL, auditreport.Markdown, auditreport.HTML} {
		text := unescaped.Replace(written(t, format))
		if !strings.Contains(text, "arm| a | b |") {
			t.Errorf("%s has no request ID", format)
		}
		if people := format == auditreport.Markdown || format == auditreport.HTML; people != strings.Contains(text, "1 more row unknown for other causes") {
			t.Errorf("%s on further causes: %v", format, !people)
		}
	}
}

// TestHTML reads the page back as a browser would.
func TestHTML(t *testing.T) {
	t.Parallel()
	text := written(t, auditreport.HTML)
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p := page{t: t}
	p.walk(root)
	if len(p.styles) != 1 || len(p.scripts) != 1 {
		t.Fatalf("%d styles and %d scripts", len(p.styles), len(p.scripts))
	}
	for _, inline := range append(p.styles, p.scripts...) {
		if !strings.Contains(p.policy, hashOf(inline)) {
			t.Error("the policy does not allow what is in the page")
		}
	}
	if strings.Count(p.policy, "sha256-") != 2 || !strings.Contains(p.policy, "default-src 'none'") || strings.Contains(p.policy, "unsafe") {
		t.Errorf("the policy is %s", p.policy)
	}
	for _, name := range hostile {
		if !strings.Contains(p.text.String(), name) {
			t.Errorf("the page does not show %q", name)
		}
	}
	if p.rows != len(hostile)+1+1+1 {
		t.Errorf("%d rows", p.rows)
	}
}

type page struct {
	t               *testing.T
	styles, scripts []string
	policy          string
	text            strings.Builder
	rows            int
}

// known are the elements that the template itself has.
const known = " html head meta title style body header h1 p dl div dt dd code main section h2 svg rect ul li button span b table thead tbody tr th td bdi small label input output footer script "

func (p *page) walk(n *html.Node) {
	switch {
	case n.Type == html.TextNode && n.Parent.Data == "style":
		p.styles = append(p.styles, n.Data)
	case n.Type == html.TextNode && n.Parent.Data == "script":
		p.scripts = append(p.scripts, n.Data)
	case n.Type == html.TextNode:
		p.text.WriteString(n.Data + "\n")
	case n.Type == html.ElementNode:
		p.element(n)
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		p.walk(child)
	}
}

func (p *page) element(n *html.Node) {
	if !strings.Contains(known, " "+n.Data+" ") {
		p.t.Errorf("the page has an element %s", n.Data)
	}
	if n.Data == "tr" {
		p.rows++
	}
	for _, a := range n.Attr {
		if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "style" {
			p.t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
		}
		if a.Key == "content" && strings.Contains(a.Val, "default-src") {
			p.policy = a.Val
		}
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A partial report must not look complete.
func TestUnreadableRowFailsReport(t *testing.T) {
	t.Parallel()
	broken := func(yield func(answers.AuditRow, error) bool) {
		if yield(answers.AuditRow{Tenant: "a"}, nil) {
			yield(answers.AuditRow{}, problems.New(problems.CodeVaultCorrupt, "a row is damaged"))
		}
	}
	for _, format := range []auditreport.Format{auditreport.CSV, auditreport.JSONL, auditreport.Markdown, auditreport.HTML} {
		if err := sample().Write(&bytes.Buffer{}, format, broken); problems.As(err).Code != problems.CodeVaultCorrupt {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestReportsShowWhoKnowsOfARow: owner, note and date stand beside the row, escaped, and
// nowhere else.
func TestReportsShowWhoKnowsOfARow(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Known = func(row *answers.AuditRow) *fleet.Acknowledgement {
		if row.Tenant != hostile[1] {
			return nil
		}
		return &fleet.Acknowledgement{Owner: "carol", Note: "=cmd <b>ends</b>", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}
	}
	for format, want := range map[auditreport.Format]string{
		auditreport.CSV:      "2027-01-31,carol,'=cmd <b>ends</b>",
		auditreport.JSONL:    `"acknowledged":{"tenant":"","tenant_id":"","owner":"carol","note":"=cmd \u003cb\u003eends\u003c/b\u003e","by":"","until":"2027-01-31T00:00:00Z"}`,
		auditreport.Markdown: `until 2027\-01\-31, carol\: =cmd &lt;b\>ends&lt;/b\>`,
		auditreport.HTML:     "until 2027-01-31, carol: =cmd &lt;b&gt;ends&lt;/b&gt;",
	} {
		var b bytes.Buffer
		if err := r.Write(&b, format, rows()); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("%s: %q is not there once:\n%s", format, want, b.String())
		}
	}
}
