package fleet

import (
	"cmp"
	"context"
	"encoding/json"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

// rolesAtOnce is how many subscriptions of one target are asked about at the
// same time, as far as the run has room.
const rolesAtOnce = 8

// readRoles reads what is missing of a target's roles. It returns the problem
// that is worth another try.
func (w *auditing) readRoles(ctx context.Context, t *task, target Target) *schemas.Problem {
	if !w.audit.Roles || !t.read.TokenReadable {
		return nil
	}
	if t.roles == nil {
		if err := w.access.AdmitRoles(ctx, target.Tenant); err != nil {
			t.roles = pec.Refused(schemas.AsProblem(err), w.rolesOptions())
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.f.opts.Limits.AttemptTime)
	defer cancel()
	if t.roles == nil {
		name := cmp.Or(t.read.Identity.Credential, target.Credential) // the one that got a token
		reader, err := w.f.opts.Clients.Reader(ctx, target.Tenant, name)
		if err != nil {
			return schemas.AsProblem(err)
		}
		t.roles = pec.NewReading(reader.RolesOnce(), w.rolesOptions())
	}
	return t.roles.Continue(ctx)
}

func (w *auditing) rolesOptions() pec.Options {
	limits := w.f.opts.Limits
	o := pec.Options{List: w.f.opts.PECRoles, Slot: w.slot, Now: w.f.opts.Now, Parallel: rolesAtOnce}
	if limits.PerCredential < limits.Concurrency || limits.PerAuthority < limits.Concurrency {
		o.Parallel = 1 // the budgets count targets
	}
	return o
}

// slot waits for room for one request. Without roles a target has one request at
// a time, and its worker is its room.
func (w *auditing) slot(ctx context.Context) (release func(), err error) {
	if w.slots == nil {
		return func() {}, nil
	}
	select {
	case w.slots <- struct{}{}:
		return func() { <-w.slots }, nil
	case <-ctx.Done():
		return nil, schemas.NewProblem(schemas.CodeTimeout, "The request could not be sent before the deadline of the call.")
	}
}

// rolesOf condenses roles for a row, and drops roles that another identity than the link's was asked for.
func rolesOf(read armclient.LinkRead, roles *pec.Reading) *schemas.PECRoles {
	if roles == nil {
		return nil
	}
	result := roles.Result()
	if who := roles.Identity().ObjectID; who != "" && who != read.Identity.ObjectID {
		return &schemas.PECRoles{ListDate: result.ListDate, Reason: string(schemas.CodeWrongIdentity)}
	}
	return pec.Condense(result)
}

// countRoles adds the classes of the rows to the totals of a run.
func (f *Fleet) countRoles(ctx context.Context, id string, totals map[string]int) error {
	for _, class := range schemas.PECClasses() {
		totals[class] = 0
	}
	for stored, err := range f.opts.Store.Rows(ctx, id, RowQuery{}) {
		if err != nil {
			return err
		}
		var row struct {
			State    schemas.RowState  `json:"state"`
			PECRoles *schemas.PECRoles `json:"pec_roles"`
		}
		if json.Unmarshal(stored.Body, &row) != nil {
			continue // the page of rows says so
		}
		class := schemas.AuditRow{State: row.State, PECRoles: row.PECRoles}.PECClass()
		totals[cmp.Or(class, schemas.PECRolesUnknown)]++
	}
	return nil
}
