// Package tools is where MCP meets the catalogue. Every call, whether it comes
// from an MCP client or from the command line, goes through Service.Call:
//
//	decode strictly -> admit -> plan by reads -> guard -> armclient -> confirm by a read -> envelope
//
// One file holds one intent; call.go holds the path they share; mcp*.go is the
// only part that knows the MCP library.
package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/search"
)

// Directory is where tenants are looked up. Its errors are problems. Resolve finds
// a tenant by name, domain or GUID among those to whose names sees says yes. Any
// other is a CodeUnknownTenant problem that does not tell whether there is one.
type Directory interface {
	fleet.Directory
	fleet.Tenants
	// PinObjectID remembers the identity seen at a credential's first success,
	// so that another one in its place is noticed before anything is sent.
	PinObjectID(tenant, credential, objectID string) error
}

// Clients gives the Azure client of a tenant and credential. Its errors are
// problems.
type Clients interface {
	Client(ctx context.Context, tenant schemas.Tenant, credential string) (Azure, error)
}

// Confirmer is how a call reaches somebody who can confirm a write.
type Confirmer interface {
	// Resume returns the answer that came with this call to a question of an
	// earlier one; ok is false without one.
	Resume() (seal guard.Seal, answer guard.Answer, ok bool)
	// Reachable reports whether Ask would reach anybody.
	Reachable() bool
	// Ask puts a question to the person. It may take as long as a person takes,
	// within ctx. An error means that the channel broke: nobody has confirmed. Only
	// ErrLater says that the question goes out with this call's result.
	Ask(ctx context.Context, question guard.Question, seal guard.Seal) (guard.Answer, error)
}

// ErrLater is the error of a question whose answer comes with another call.
var ErrLater = errors.New("the answer comes with another call")

// Progress reports progress to a waiting client.
type Progress func(step, total int, message string)

// Call is one call of a tool.
type Call struct {
	Tool      string
	Arguments json.RawMessage
	// Principal is who calls. One without a caller is answered nothing.
	Principal access.Principal
	// Confirmer must not be nil; use NoConfirmer instead.
	Confirmer Confirmer
	// Progress may be nil.
	Progress Progress
	// PlanOnly answers with the requests that the call would make; it reads and
	// never writes or asks.
	PlanOnly bool
	// Patient waits until a run rests, without a limit; otherwise the call answers
	// before clients time out, and the run continues.
	Patient bool
	// Brief answers soon after a run has begun.
	Brief bool
}

// Result is how a call ended. Elicitation is set when the envelope is to be held
// back, because a question goes out with this call's result instead.
type Result struct {
	Envelope    answers.Envelope
	Elicitation *guard.Asked
}

// Deps are what a Service is made of. All but Now, Logger and Observer are required.
type Deps struct {
	Directory Directory
	Clients   Clients
	// Fleet runs what is about many tenants.
	Fleet  *fleet.Fleet
	Guard  *guard.Guard
	Search *search.Index
	// PECRoles is the list of eligible roles; nil means the built-in one.
	PECRoles *pec.List
	// Reconciliation returns the totals of usage that a person kept, as JSON, or
	// nil; it may be nil.
	Reconciliation func() ([]byte, error)
	// Unattended reports whether a credential signs in without a person; nil means all.
	Unattended func(credential string) bool
	// Simulated says that no real Azure is reached, and that approvals live no
	// longer than this process.
	Simulated bool
	// Command is how a person runs this program in a shell, with the flags that
	// lead to the same state directory; default "mcp-partner".
	Command string
	// PublicURL is the address of a server over HTTP, without a path.
	PublicURL string
	// Console says that people decide in the console of that server.
	Console bool
	// View is the page that clients show beside an answer, with the address of the
	// console or without; nil is none.
	View func(console string) string
	// Settled replaces the time after which a write without an outcome has ended;
	// zero means fleet.Settled.
	Settled time.Duration
	// Pause is the first pause before a tenant of a run is looked at again; zero
	// means a second.
	Pause  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
	// Observer may be nil.
	Observer Observer
}

// Service answers calls.
type Service struct {
	deps     Deps
	handlers map[string]handler
	names    nameCache
	roles    *pec.NameCache
	writer   *fleet.Writer
}

// StdioCaller is the caller over stdio: the account that started the process.
const StdioCaller = "stdio"

// NewService makes a service of its parts.
func NewService(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Command = cmp.Or(d.Command, "mcp-partner")
	if d.Observer == nil {
		d.Observer = nopObserver{}
	}
	d.Logger = cmp.Or(d.Logger, slog.New(slog.DiscardHandler))
	s := &Service{deps: d, roles: pec.NewNameCache()}
	s.writer = s.newWriter()
	s.handlers = s.handlersByTool()
	return s
}

// NoConfirmer is the Confirmer of a call that cannot be confirmed.
type NoConfirmer struct{}

func (NoConfirmer) Resume() (guard.Seal, guard.Answer, bool) { return "", guard.Answer{}, false }

func (NoConfirmer) Reachable() bool { return false }

// Ask implements Confirmer: silence is never a consent.
func (NoConfirmer) Ask(context.Context, guard.Question, guard.Seal) (guard.Answer, error) {
	return guard.Answer{Action: guard.ActionCancel}, nil
}

// Azure is one identity in one tenant, as armclient gives it.
type Azure interface {
	Link(ctx context.Context) armclient.LinkRead
	Partner(ctx context.Context, partnerID partnerid.ID) (armclient.LinkRead, *bool)
	Operations(ctx context.Context) ([]answers.ProviderOperation, answers.Identity, error)
	Tenants(ctx context.Context) ([]answers.TenantRow, answers.Identity, error)
	// Roles reads subscriptions and the identity's roles in them.
	Roles() pec.Reader
	Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome
}

// handler answers one tool's call; input is what the catalogue's Input is.
type handler func(ctx context.Context, j *job, input any) Result

func handle[In any](answer func(context.Context, *job, *In) Result) handler {
	return func(ctx context.Context, j *job, input any) Result {
		return answer(ctx, j, input.(*In))
	}
}

func (s *Service) handlersByTool() map[string]handler {
	return map[string]handler{
		schemas.ToolCheckPartnerLink:       handle(s.checkPartnerLink),
		schemas.ToolCheckPECRoles:          handle(s.checkPECRoles),
		schemas.ToolRegisterPartner:        handle(s.registerPartner),
		schemas.ToolUpdatePartner:          handle(s.updatePartner),
		schemas.ToolRemovePartner:          handle(s.removePartner),
		schemas.ToolListProviderOperations: handle(s.listProviderOperations),
		schemas.ToolListTenants:            handle(s.listTenants),
		schemas.ToolFindPartnerTool:        handle(s.findPartnerTool),
		schemas.ToolGetApproval:            handle(s.getApproval),
		schemas.ToolAuditPartnerLinks:      handle(s.auditPartnerLinks),
		schemas.ToolEnsurePartnerLinks:     handle(s.ensurePartnerLinks),
		schemas.ToolTransitionPartner:      handle(s.transitionPartner),
	}
}

// A read that is one request and its answer has its handler here.

func (s *Service) listProviderOperations(ctx context.Context, j *job, in *schemas.ListProviderOperationsInput) Result {
	t, err := s.target(ctx, j, in.Target, "")
	if err != nil {
		return failure(err)
	}
	if j.call.PlanOnly {
		return done(t.planned(j.op, ""))
	}
	j.progress(1, 1, "Reading the provider's operations")
	operations, identity, err := t.azure.Operations(ctx)
	if err != nil {
		envelope := problemEnvelope(err)
		envelope.Identity = t.identity(identity)
		return done(envelope)
	}
	return done(answers.Envelope{
		Status: answers.StatusDone, Identity: t.identity(identity), Operations: operations,
		Summary: fmt.Sprintf("Microsoft.ManagementPartner publishes %d operations.", len(operations)),
	})
}
