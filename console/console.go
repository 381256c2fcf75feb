// Package console is the web console: pages on which people see links, decide on what
// waits, and stop. A page is a handler that asks, a view model, and a view made of the
// nodes of internal/page; docs/dev/add-a-page.md walks through one.
//
// Everything that a page does is a call of tools or guard by the person's own principal:
// there is no second way to write.
package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/oauth"
	"mcp-partner/auth/users"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/ledger"
	"mcp-partner/tools"
)

// Path is below which the console answers.
const Path = "/console/"

// People tells who is in front of a browser.
type People interface {
	// Session returns the live session of a request's browser.
	Session(r *http.Request) (users.Session, bool)
	// Begin sends a browser to sign in, and then to next, a path of this server.
	Begin(w http.ResponseWriter, r *http.Request, next string)
	// Grant is what a person may do now of the scopes that are wanted; a problem says
	// that they are nobody here any more.
	Grant(ctx context.Context, p users.Person, wanted []access.Scope) (access.Grant, error)
	// InvitationLink is where the handle of an invitation is used.
	InvitationLink(handle string) string
}

// Record is the ledger as the console reads it.
type Record interface {
	List(ctx context.Context, f ledger.Filter) ([]guard.Event, error)
	Verify(ctx context.Context, heads []ledger.Head) (ledger.Report, error)
	Head(ctx context.Context) (ledger.Head, error)
	Export(ctx context.Context, w io.Writer, format ledger.Format, f ledger.Filter) error
}

// Options are what a Console is made of. All are needed but Now and Logger.
type Options struct {
	Service *tools.Service
	Guard   *guard.Guard
	Fleet   *fleet.Fleet
	Record  Record
	People  People
	// Acknowledge records that a person knows of the state of a customer, or without
	// Until that nobody does any more.
	Acknowledge func(ctx context.Context, known fleet.Acknowledgement, by access.Caller) (bool, error)
	// Clients are the MCP clients that people allowed something, to be changed by somebody.
	Clients func(by access.Caller) oauth.Clients
	// OwnIDs are the partner's own IDs.
	OwnIDs []string
	// Now defaults to time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Console answers the requests of browsers below Path.
type Console struct {
	o       Options
	handler http.Handler
	// executions are the calls that people made here of what was approved.
	executions executions
	// verifying is held while the record is verified, which reads all of it.
	verifying sync.Mutex
}

// New makes a Console.
func New(o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{o: o}
	mux := http.NewServeMux()
	for _, route := range c.routes() {
		mux.HandleFunc(route.method+" "+route.path, c.answer(route))
	}
	mux.HandleFunc(Path, c.answer(route{serve: func(*visit) error { return errNotHere }}))
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { foreignForm(w) }))
	c.handler = guarded.Handler(mux)
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page.Harden(w.Header())
	c.handler.ServeHTTP(w, r)
}

// route is one address of the console. A test has a row for each.
type route struct {
	method, path string
	// needs are scopes of which the person must have one; none means that everybody who
	// is signed in may.
	needs []access.Scope
	serve func(*visit) error
}

// routes are all addresses. GET never changes anything.
func (c *Console) routes() []route {
	reads, approves := []access.Scope{access.ScopeRead}, []access.Scope{access.ScopeApprove}
	return slices.Concat([]route{
		{"GET", "/console/{$}", nil, c.showOverview},
		{"POST", "/console/put-off", mayStop(), c.putOff},
		{"GET", "/console/customers", reads, c.showCustomers},
		{"GET", "/console/customers/{name}", reads, c.showCustomer},
		{"POST", "/console/customers/{name}", reads, c.act},
		{"GET", approvalsPath, mayStop(), c.showApprovals},
		{"GET", approvalsPath + "/{id}", nil, c.showApproval},
		{"POST", approvalsPath + "/{id}", approves, c.decide},
		{"POST", approvalsPath + "/{id}/challenge", approves, c.beginDecision},
		{"POST", approvalsPath + "/{id}/execute", approves, c.execute},
		{"GET", approvalsPath + "/{id}/progress", nil, c.showProgress},
		{"GET", freezePath, nil, c.showFreeze},
		{"POST", freezePath, mayStop(), c.stop},
		{"POST", liftPath, approves, c.lift},
		{"POST", liftPath + "/challenge", approves, c.beginLift},
	}, c.auditRoutes(), c.runRoutes(), c.recordRoutes(), c.accessRoutes())
}

func foreignForm(w http.ResponseWriter) {
	page.Page{Status: http.StatusForbidden, Title: "Not from this page", Body: []page.Node{
		page.P("The form was sent from another page than this server's, or the page is too old. Go back, reload the page and try again."),
	}}.Write(w)
}
