package tools

import (
	"context"
	"strings"
	"sync"
	"time"

	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

const (
	// rolesTenantsAtOnce is how many tenants of a run are asked for roles at the same time.
	rolesTenantsAtOnce = 8
	// rolesPerTenant bounds how long roles of one tenant are read for a caller that
	// waits for the whole run.
	rolesPerTenant = 30 * time.Second
)

// mayAskForRoles refuses a call that asks for roles which its caller may not read,
// before anything is written.
func (s *Service) mayAskForRoles(ctx context.Context, j *job, w batchRequest) error {
	if w.roles == nil || !*w.roles {
		return nil
	}
	return s.mayReadRoles(ctx, j.call.Principal, schemas.Tenant{})
}

// wantsRoles reports whether the answer of a call is to carry roles: where it asks
// for them, and else where it has just seen to the link of one tenant.
func (w batchRequest) wantsRoles(j *job, envelope *schemas.Envelope) bool {
	switch {
	case j.call.PlanOnly && w.ref.RunID == "", envelope.Approval != nil:
		return false
	case w.roles != nil:
		return *w.roles
	default:
		return !w.reads(j) && envelope.Totals["tenants"] == 1
	}
}

// batchRoles adds to the rows of an answer which roles the linked identities have,
// where the caller may read them. It never fails a write.
func (s *Service) batchRoles(ctx context.Context, j *job, w batchRequest, envelope *schemas.Envelope) {
	if ctx.Err() != nil || !w.wantsRoles(j, envelope) {
		return
	}
	limit := rolesPerTenant
	if !j.call.Patient {
		limit = rolesAfterWrite
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	readings := make([]*pec.Reading, len(envelope.Changes))
	slots := make(chan struct{}, rolesTenantsAtOnce)
	var all sync.WaitGroup
	for i, row := range envelope.Changes {
		if row.State != schemas.ChangeDone && row.State != schemas.ChangeUnchanged {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			one, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			readings[i] = s.rolesOfRow(one, j, row)
		})
	}
	all.Wait()
	showRoles(envelope, readings)
}

// rolesOfRow reads the roles of the identity of a row; nil where the caller may not
// have them.
func (s *Service) rolesOfRow(ctx context.Context, j *job, row schemas.ChangeRow) *pec.Reading {
	tenant, err := s.deps.Directory.Resolve(row.TenantID, j.call.Principal.Grant.Sees())
	if err != nil || s.mayReadRoles(ctx, j.call.Principal, tenant) != nil {
		return nil
	}
	azure, err := s.deps.Clients.Client(ctx, tenant, row.Credential)
	if err != nil {
		return pec.Refused(schemas.AsProblem(err), pec.Options{List: s.deps.PECRoles})
	}
	reading := s.rolesOf(ctx, target{azure: azure}, pec.Options{})
	if who := reading.Identity().ObjectID; who != "" && who != row.ObjectID {
		return nil
	}
	return reading
}

// showRoles puts roles into the rows, and a sentence about them into the summary.
func showRoles(envelope *schemas.Envelope, readings []*pec.Reading) {
	classes, sentence := map[string]int{}, ""
	for i, reading := range readings {
		if reading == nil {
			continue
		}
		row, result := &envelope.Changes[i], reading.Result()
		row.PECRoles, sentence = pec.Condense(result), pec.Sentence(result)
		classes[schemas.AuditRow{State: schemas.RowLinkedExpected, PECRoles: row.PECRoles}.PECClass()]++
	}
	if envelope.Totals["tenants"] > 1 {
		sentence = rolesSentence(classes)
	}
	envelope.Summary = strings.TrimSpace(envelope.Summary + " " + sentence)
}
