package runs

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// progress shows on a terminal how far a run is. Nothing is shown to a pipe.
func progress(deps *cmdutil.Deps, o *manyOptions) tools.Progress {
	if !deps.IO.ErrTTY || o.json {
		return nil
	}
	return func(done, total int, message string) {
		end := map[bool]string{true: "\n"}[done == total]
		fmt.Fprintf(deps.IO.Err, "\r%s: %d of %d%s", message, done, total, end)
	}
}

// showMany prints what a call came to: exactly the envelope with --json, else the
// headline and the rows.
func showMany(deps *cmdutil.Deps, e answers.Envelope, o *manyOptions) error {
	if o.json {
		return deps.IO.PrintJSON(e)
	}
	u := o.table.UI(deps.IO)
	if o.format != "table" {
		encode := changesCSV
		if o.format == "jsonl" {
			encode = changesJSONL
		}
		text, err := encode(e.Changes)
		if err != nil {
			return err
		}
		if err := o.output.WriteText(deps.IO, text); err != nil {
			return err
		}
		e.Changes = nil
		if o.output.Path == "" {
			u.Out, u.Color = deps.IO.Err, false // what a person has to know stands beside the rows
		}
	}
	render.WriteEnvelope(u, e)
	return u.Err
}

func changesJSONL(rows []answers.ChangeRow) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func changesCSV(rows []answers.ChangeRow) ([]byte, error) {
	var b bytes.Buffer
	writer := csv.NewWriter(&b)
	writer.UseCRLF = true
	quoter := csvcell.New()
	records := [][]string{{"company", "domain", "tenant", "tenant_id", "credential", "object_id", "state", "linked_before", "partner_name_before", "partner_id", "linked_after",
		"steps", "rule", "warning", "why", "problem", "eligible_role_in", "arm_request_id", "correlation_id"}}
	for _, r := range rows {
		name := ""
		if r.Before != nil {
			name = r.Before.PartnerName
		}
		record := []string{r.Company, r.Domain, r.Tenant, r.TenantID, r.Credential, r.ObjectID, string(r.State), render.LinkWord(r.Before), name, r.PartnerID, render.LinkWord(r.After),
			strings.Join(r.Steps, " "), r.Rule, r.Warning, r.Why, string(r.Problem), r.PECRoles.EligibleIn(), r.ARMRequestID, r.CorrelationID}
		for i := range record {
			record[i] = quoter.Quote(record[i])
		}
		records = append(records, record)
	}
	err := writer.WriteAll(records)
	return b.Bytes(), err
}

// runsShown is how many runs a list shows.
const runsShown = 50

func listRuns(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *manyOptions) error {
	runs, err := session.Guard.RecentRuns(ctx, runsShown)
	if err != nil {
		return err
	}
	var rows []map[string]string
	for _, r := range runs {
		if r.Tool != o.tool {
			continue
		}
		rows = append(rows, map[string]string{
			"run_id": r.ID, "state": map[bool]string{true: "open", false: "ended"}[r.EndedAt.IsZero()], "caller": string(r.Caller),
			"opened_at": phrase.Stamp(r.OpenedAt), "expires_at": phrase.Stamp(r.ExpiresAt), "approval": r.Approval, "approver": r.Approver,
		})
	}
	return cmdutil.Listing[map[string]string]{
		Name: "runs", Rows: rows, Empty: "No runs.",
		Header: []string{"RUN", "STATE", "CALLER", "OPENED", "MAY BEGIN UNTIL", "APPROVED BY"},
		Cells: func(r map[string]string) []string {
			return []string{r["run_id"], r["state"], r["caller"], r["opened_at"], r["expires_at"], r["approver"]}
		},
	}.Show(deps.IO, &cmdutil.ListFlags{JSON: o.json})
}
