package auditreport_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"mcp-partner/internal/auditreport"
	"mcp-partner/schemas/answers"
)

// withRoles is the sample report of an audit that read roles.
func withRoles() auditreport.Report {
	r := sample()
	r.Run.Request = json.RawMessage(`{"roles":true}`)
	r.Totals[answers.PECLinkedAll], r.Totals[answers.PECLinkedNone] = 5, 2
	return r
}

func rowsWithRoles() iter.Seq2[answers.AuditRow, error] {
	return func(yield func(answers.AuditRow, error) bool) {
		for row, err := range rows() {
			row.PECRoles = &answers.PECRoles{
				Verdicts: answers.PECCounts{Subscriptions: 4, EligibleRole: 3, Unknown: 1}, ListDate: "2020-12", Reason: "forbidden",
				Held: []string{row.Tenant + " at /subscriptions/x"},
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func TestRolesInEveryFormat(t *testing.T) {
	unescape := strings.NewReplacer(`\(`, "(", `\)`, ")", `\:`, ":")
	t.Parallel()
	for _, format := range []auditreport.Format{auditreport.CSV, auditreport.JSONL, auditreport.Markdown, auditreport.HTML} {
		var plain, full bytes.Buffer
		if err := sample().Write(&plain, format, rows()); err != nil {
			t.Fatal(err)
		}
		if err := withRoles().Write(&full, format, rowsWithRoles()); err != nil {
			t.Fatal(err)
		}
		for _, word := range map[auditreport.Format][]string{
			auditreport.CSV: {"pec_class", "pec_unknown"}, auditreport.JSONL: {`"pec_roles":{"verdicts":{"subscriptions":4`},
			auditreport.Markdown: {"3 of 4 (1 unknown: forbidden)", "Linked, eligible role in none"},
			auditreport.HTML:     {"3 of 4 (1 unknown: forbidden)", "Roles for partner earned credit", "Linked, eligible role in none"},
		}[format] {
			if !strings.Contains(unescape.Replace(full.String()), word) || strings.Contains(plain.String(), word) {
				t.Errorf("%s: %q is to be in an audit with roles, and in no other", format, word)
			}
		}
		if strings.Contains(full.String(), "<script>alert") && format != auditreport.CSV && format != auditreport.JSONL {
			t.Errorf("%s: markup of a role's name got through", format)
		}
	}
}

func TestRolesAreColumnsOfTheirOwn(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := withRoles().Write(&out, auditreport.CSV, rowsWithRoles()); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range records[0] {
		at[name] = i
	}
	row := records[1]
	if row[at["pec_subscriptions"]] != "4" || row[at["pec_eligible_role"]] != "3" || row[at["pec_unknown"]] != "1" || row[at["pec_list_date"]] != "2020-12" {
		t.Errorf("%v", row)
	}
}
