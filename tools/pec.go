package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mcp-partner/armclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// subscriptionsPage is how many subscriptions a page has when not told.
	subscriptionsPage = 25
	// subscriptionsAtOnce is how many are asked about at the same time.
	subscriptionsAtOnce = 8
	// rolesAfterWrite bounds how long roles are read after a write.
	rolesAfterWrite = 6 * time.Second
)

func (s *Service) checkPECRoles(ctx context.Context, j *job, in *schemas.CheckPECRolesInput) Result {
	after, err := checkRolesInput(j, in)
	if err != nil {
		return failure(err)
	}
	t, err := s.target(ctx, j, in.Target, "")
	if err != nil {
		return failure(err)
	}
	if j.call.PlanOnly {
		return done(t.planned(j.op, ""))
	}
	j.progress(1, 2, "Reading the link")
	read := t.azure.Link(ctx)
	s.pin(ctx, t, read)
	j.progress(2, 2, "Reading roles")
	reading := s.rolesOf(ctx, t, pec.Options{Only: in.Subscriptions, After: after, Limit: cmp.Or(in.Limit, subscriptionsPage), Details: true})
	envelope := t.rolesEnvelope(read, reading)
	if next := reading.Next(); next != "" {
		envelope.NextCursor = cursor(j.call.Principal.Caller, rolesKey+next)
	}
	return done(envelope)
}

// rolesKey begins the key of a cursor of check_pec_roles.
const rolesKey = "roles\x00"

// checkRolesInput returns behind which subscription the page begins.
func checkRolesInput(j *job, in *schemas.CheckPECRolesInput) (after string, err error) {
	for i, id := range in.Subscriptions {
		if !naming.IsGUID(id) {
			return "", problems.New(problems.CodeInvalidArgument, fmt.Sprintf("subscriptions[%d] is not a GUID: pass the ID of a subscription, not its name.", i))
		}
	}
	key, ok := openCursor(j.call.Principal.Caller, in.Cursor)
	after, isRoles := strings.CutPrefix(key, rolesKey)
	if !ok || in.Cursor != "" && !isRoles {
		return "", problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor of check_pec_roles unchanged.")
	}
	return after, nil
}

func (s *Service) rolesOf(ctx context.Context, t target, o pec.Options) *pec.Reading {
	o.List, o.Cache, o.Now, o.Parallel = s.deps.PECRoles, s.roles, s.deps.Now, subscriptionsAtOnce
	reading := pec.NewReading(t.azure.Roles(), o)
	reading.Continue(ctx) // what is worth another try was tried again below
	return reading
}

// rolesEnvelope says what is linked and which roles there are. It fails where
// nothing at all is known of roles.
func (t target) rolesEnvelope(read armclient.LinkRead, reading *pec.Reading) answers.Envelope {
	envelope := t.reading(read)
	envelope.Status, envelope.Problem = answers.StatusDone, nil
	who := reading.Identity().ObjectID
	if seen := read.Identity.ObjectID; seen != "" && who != "" && !strings.EqualFold(seen, who) {
		return problemEnvelope(problems.New(problems.CodeWrongIdentity, "The token changed to another identity between the link and the roles."))
	}
	if who != "" {
		envelope.Identity.ObjectID = who
	}
	envelope.PECRoles = reading.Result()
	envelope.PECRoles.LinkRequestID = cmp.Or(read.RequestID, read.CorrelationID)
	envelope.Summary = RolesSentence(envelope, t.own)
	if problem := reading.Problem(); problem != nil {
		envelope.Status, envelope.Problem = answers.StatusFailed, problem
		envelope.Summary += " " + problem.Message
	}
	return envelope
}

// RolesSentence says for a person what an answer of check_pec_roles holds; own are
// the partner's own IDs.
func RolesSentence(e answers.Envelope, own []string) string {
	return target{own: own}.linkWords(*e.Link) + " " + pec.Sentence(e.PECRoles)
}

func (t target) linkWords(link answers.Link) string {
	switch {
	case link.State == answers.LinkLinked:
		return fmt.Sprintf("Linked to %s%s.", link.PartnerID, t.unexpected(link))
	case link.State.Absent():
		return "Not linked."
	default:
		return fmt.Sprintf("Its link is unknown (%s).", link.Reason)
	}
}

// rolesAfter adds roles to the answer of a write after which there is a link.
func (s *Service) rolesAfter(ctx context.Context, p proposal, envelope *answers.Envelope) {
	linked := envelope.After != nil && envelope.After.State == answers.LinkLinked
	if linked && !envelope.Status.IsError() && !p.job.call.PlanOnly {
		s.addRoles(ctx, p.job, p.target, envelope)
	}
}

// addRoles says what the identity's roles are, if the caller may read them. A
// write is never failed by it, and held up for seconds at most.
func (s *Service) addRoles(ctx context.Context, j *job, t target, envelope *answers.Envelope) {
	if s.mayReadRoles(ctx, j.call.Principal, t.tenant) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rolesAfterWrite)
	defer cancel()
	reading := s.rolesOf(ctx, t, pec.Options{Limit: subscriptionsPage})
	if reading.Problem() != nil {
		return
	}
	envelope.PECRoles = reading.Result()
	envelope.Summary = strings.TrimSpace(strings.TrimSuffix(envelope.Summary, notChecked)) + " " + pec.Sentence(envelope.PECRoles)
}

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
func (w batchRequest) wantsRoles(j *job, envelope *answers.Envelope) bool {
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
func (s *Service) batchRoles(ctx context.Context, j *job, w batchRequest, envelope *answers.Envelope) {
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
	var all errgroup.Group
	all.SetLimit(rolesTenantsAtOnce)
	for i, row := range envelope.Changes {
		if row.State != answers.ChangeDone && row.State != answers.ChangeUnchanged {
			continue
		}
		all.Go(func() error {
			one, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			readings[i] = s.rolesOfRow(one, j, row)
			return nil
		})
	}
	_ = all.Wait() // none of them fails
	showRoles(envelope, readings)
}

// rolesOfRow reads the roles of the identity of a row; nil where the caller may not
// have them.
func (s *Service) rolesOfRow(ctx context.Context, j *job, row answers.ChangeRow) *pec.Reading {
	tenant, err := s.deps.Directory.Resolve(row.TenantID, j.call.Principal.Grant.Sees())
	if err != nil || s.mayReadRoles(ctx, j.call.Principal, tenant) != nil {
		return nil
	}
	azure, err := s.deps.Clients.Client(ctx, tenant, row.Credential)
	if err != nil {
		return pec.Refused(problems.As(err), pec.Options{List: s.deps.PECRoles})
	}
	reading := s.rolesOf(ctx, target{azure: azure}, pec.Options{})
	if who := reading.Identity().ObjectID; who != "" && who != row.ObjectID {
		return nil
	}
	return reading
}

// showRoles puts roles into the rows, and a sentence about them into the summary.
func showRoles(envelope *answers.Envelope, readings []*pec.Reading) {
	classes, sentence := map[string]int{}, ""
	for i, reading := range readings {
		if reading == nil {
			continue
		}
		row, result := &envelope.Changes[i], reading.Result()
		row.PECRoles, sentence = pec.Condense(result), pec.Sentence(result)
		classes[answers.AuditRow{State: answers.RowLinkedExpected, PECRoles: row.PECRoles}.PECClass()]++
	}
	if envelope.Totals["tenants"] > 1 {
		sentence = rolesSentence(classes)
	}
	envelope.Summary = strings.TrimSpace(envelope.Summary + " " + sentence)
}
