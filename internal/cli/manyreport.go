package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/csvcell"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// progress shows on a terminal how far a run is. Nothing is shown to a pipe.
func (f *Factory) progress(o *manyOptions) tools.Progress {
	if !f.IO.ErrTTY || o.json {
		return nil
	}
	return func(done, total int, message string) {
		end := map[bool]string{true: "\n", false: ""}[done == total]
		fmt.Fprintf(f.IO.Err, "\r%s: %d of %d%s", message, done, total, end)
	}
}

// showMany prints what a call came to: exactly the envelope with --json, else the
// headline and the rows.
func (f *Factory) showMany(e schemas.Envelope, o *manyOptions) error {
	if o.json {
		return f.IO.printJSON(e)
	}
	text, err := changesAs(o.format, e.Changes)
	if err != nil {
		return err
	}
	u := f.IO.ui()
	if o.output != "" {
		if err := writeOutput(o.output, text, o.force); err != nil {
			return err
		}
		e.Changes = nil
	} else if o.format != "table" {
		if f.IO.OutTTY {
			text = []byte(escapeJSON(strings.ReplaceAll(string(text), "\r\n", "\n")))
		}
		if _, err := f.IO.Out.Write(text); err != nil {
			return err
		}
		e.Changes, u.out, u.color = nil, f.IO.Err, false // what a person has to know stands beside the rows
	}
	u.envelope(e)
	return u.err
}

// changesAs writes rows for other programs.
func changesAs(format string, rows []schemas.ChangeRow) ([]byte, error) {
	switch format {
	case "csv":
		return changesCSV(rows)
	case "jsonl":
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		for _, row := range rows {
			if err := encoder.Encode(row); err != nil {
				return nil, err
			}
		}
		return b.Bytes(), nil
	default:
		return nil, nil
	}
}

func changeColumns() []string {
	return []string{"tenant", "tenant_id", "credential", "object_id", "state", "linked_before", "partner_name_before", "partner_id", "linked_after",
		"steps", "rule", "warning", "why", "problem", "arm_request_id", "correlation_id"}
}

func changesCSV(rows []schemas.ChangeRow) ([]byte, error) {
	var b bytes.Buffer
	writer := csv.NewWriter(&b)
	writer.UseCRLF = true
	quoter := csvcell.New()
	err := writer.Write(changeColumns())
	for _, r := range rows {
		name := ""
		if r.Before != nil {
			name = r.Before.PartnerName
		}
		record := []string{r.Tenant, r.TenantID, r.Credential, r.ObjectID, string(r.State), linkWord(r.Before), name, r.PartnerID, linkWord(r.After),
			strings.Join(r.Steps, " "), r.Rule, r.Warning, r.Why, string(r.Problem), r.ARMRequestID, r.CorrelationID}
		for i := range record {
			record[i] = quoter.Quote(record[i])
		}
		if err == nil {
			err = writer.Write(record)
		}
	}
	writer.Flush()
	if err == nil {
		err = writer.Error()
	}
	return b.Bytes(), err
}

// linkWord is a link in one word: the ID, or why there is none.
func linkWord(link *schemas.Link) string {
	switch {
	case link == nil:
		return ""
	case link.State == schemas.LinkLinked:
		return link.PartnerID
	default:
		return string(link.State)
	}
}

// changes writes the rows of a plan or a run as a table.
func (u *ui) changes(rows []schemas.ChangeRow) {
	if len(rows) == 0 {
		return
	}
	u.blank()
	cells := make([][]string, len(rows))
	for i, r := range rows {
		name := ""
		if r.Before != nil {
			name = quoted(r.Before.PartnerName)
		}
		cells[i] = []string{strings.ReplaceAll(string(r.State), "_", " "), r.Tenant, r.Credential, linkWord(r.Before), name, r.PartnerID, linkWord(r.After),
			strings.Join(r.Steps, ", "), string(r.Problem), strings.TrimSpace(r.Warning + " " + r.Why)}
	}
	u.table([]string{"STATE", "TENANT", "CREDENTIAL", "BEFORE", "ITS NAME", "TO BE", "NOW", "STEPS", "PROBLEM", "WHAT TO KNOW"}, cells)
}

// runsShown is how many runs a list shows.
const runsShown = 50

func (f *Factory) listRuns(ctx context.Context, room *callRoom, o *manyOptions) error {
	runs, err := room.decider.RecentRuns(ctx, runsShown)
	if err != nil {
		return err
	}
	rows, cells := []map[string]any{}, [][]string{}
	for _, r := range runs {
		if r.Tool != o.tool {
			continue
		}
		state := "open"
		if !r.EndedAt.IsZero() {
			state = "ended"
		}
		rows = append(rows, map[string]any{"run_id": r.ID, "state": state, "caller": r.Caller, "opened_at": stamp(r.OpenedAt), "expires_at": stamp(r.ExpiresAt), "approval": r.Approval, "approver": r.Approver})
		cells = append(cells, []string{r.ID, state, string(r.Caller), stamp(r.OpenedAt), stamp(r.ExpiresAt), r.Approver})
	}
	if o.json {
		return f.IO.printJSON(map[string]any{"runs": rows})
	}
	u := f.IO.ui()
	if len(cells) == 0 {
		u.line(plain, "No runs.")
		return u.err
	}
	u.table([]string{"RUN", "STATE", "CALLER", "OPENED", "MAY BEGIN UNTIL", "APPROVED BY"}, cells)
	return u.err
}

// planHead shows the counts of a plan that waits for an approver.
func (u *ui) planHead(plan guard.Plan) {
	requests, rows := plan.Writes()
	u.field("tenants", strconv.Itoa(rows)+" are written, "+strconv.Itoa(len(plan.Rows)-rows)+" are listed and not touched")
	u.field("requests", strconv.Itoa(requests)+" at most, beside the way back")
	u.field("from", strings.Join(plan.From, ", "))
	u.field("to", plan.To)
	u.field("strategy", string(plan.Strategy))
	if plan.First > 0 {
		u.field("stops after", count(plan.First, "tenant"))
	}
	u.styledField("not undone", warn, plan.Undone())
}
