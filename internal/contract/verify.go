// Package contract compares traffic with the published wire contract
// (schemas.OpenAPI): answers one by one, and with Verify the
// provider and the calls that read roles as they answer right now.
package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// absentID has the form of a partner ID that is never linked; malformedID does
// not have the form.
const (
	absentID    = "9999999999"
	malformedID = "abc"
)

// Verifier compares the provider as it answers one identity in one tenant.
type Verifier struct {
	Document *Document
	Wire     *Wire
	Tenant   schemas.Tenant
	// Program and CredentialKind appear in the report.
	Program, CredentialKind string
	Simulated               bool
	// Writer makes a link and removes it again; nil only reads.
	Writer *Writer
	Now    func() time.Time
}

type run struct {
	*Verifier
	report Report
	redact redactor
	// read is the link as it was read last.
	read armclient.LinkRead
	// made: a request of this run made or moved a link. shared: somebody else
	// wrote there meanwhile.
	made, shared bool
}

// Verify asks, and reports. An error means that nothing could be compared, or
// that a link which was to be made may not be: it is a *problems.Problem.
func (v *Verifier) Verify(ctx context.Context) (Report, error) {
	r := &run{Verifier: v, redact: redactor{names: names(v.Tenant)}, report: Report{
		Program: v.Program, APIVersion: schemas.APIVersion, Cloud: v.Tenant.Cloud, Credential: v.CredentialKind,
		Simulated: v.Simulated, Time: v.Now(),
	}}
	if err := r.ownLink(ctx); err != nil {
		return r.report, err
	}
	if v.Writer != nil {
		if err := r.mayWrite(ctx); err != nil {
			return r.report, err
		}
	}
	r.operations(ctx)
	r.probe(ctx, "GET of a partner ID that is not linked", absentID, "", expected{statuses: []int{404}, codes: notFound(), settles: "Status and code of a GET of another ID than the linked one"})
	r.probe(ctx, "GET of something that is no partner ID", malformedID, "", expected{statuses: []int{400}, codes: map[int][]string{400: {"BadRequest"}}, settles: "Status of a malformed and of a PartnerGlobal ID"})
	r.probe(ctx, "GET under an api-version that does not exist", absentID, "2017-01-01", expected{statuses: []int{400, 404}})
	r.roles(ctx)
	if v.Writer != nil {
		r.life(ctx)
	}
	return r.report, nil
}

// names are what the directory calls a tenant.
func names(t schemas.Tenant) []string {
	all := append([]string{t.Name, t.TenantID}, t.Domains...)
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// expected is what the document says of one situation, beside what it says of
// the operation.
type expected struct {
	statuses []int
	// codes are the documented error codes by status; none means any.
	codes map[int][]string
	// settles is the open question that the answer closes, if the document calls
	// it unknown.
	settles string
}

func notFound() map[int][]string { return map[int][]string{404: {"NotFound"}} }

func (e expected) String() string {
	var parts []string
	for _, status := range e.statuses {
		text := fmt.Sprint(status)
		if codes := e.codes[status]; len(codes) > 0 {
			text += " " + strings.Join(codes, " or ")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", or ")
}

// ownLink comes first: without a clear answer there is nothing to compare with.
func (r *run) ownLink(ctx context.Context) error {
	want := expected{statuses: []int{200, 404}, codes: notFound(), settles: "Code and text of a GET without a link"}
	check := r.get(ctx, "GET of the own link", schemas.PathPartners, want, func(ctx context.Context) { r.read = r.Wire.client.Link(ctx) })
	if check.Verdict == Untold {
		return r.read.Problem
	}
	if r.read.Link.State == answers.LinkLinked {
		check.Settles = ""
	}
	return nil
}

func (r *run) operations(ctx context.Context) {
	var rows []answers.ProviderOperation
	check := r.list(ctx, "GET of the operations", schemas.PathOperations, expected{statuses: []int{200}}, "operations", func(ctx context.Context) int {
		rows, _, _ = r.Wire.client.Operations(ctx)
		return len(rows)
	})
	for _, name := range []string{"partners/read", "partners/write", "partners/delete"} {
		if !slices.ContainsFunc(rows, func(o answers.ProviderOperation) bool { return strings.HasSuffix(strings.ToLower(o.Name), name) }) {
			check.Details = append(check.Details, "no operation ends in "+name)
		}
	}
}

func (r *run) probe(ctx context.Context, name, segment, version string, want expected) {
	r.get(ctx, name, schemas.PathPartners+"/"+segment, want, func(ctx context.Context) { _ = r.Wire.client.Probe(ctx, segment, version) }) // the exchange says more
}

// get reports what came back for a read; the check may be added to until the next.
func (r *run) get(ctx context.Context, name, path string, want expected, read func(context.Context)) *Check {
	return r.add(r.compare(name, r.Wire.during(ctx, read), http.MethodGet, path, want))
}

// list is get for a list, which read counts.
func (r *run) list(ctx context.Context, name, path string, want expected, rows string, read func(context.Context) int) *Check {
	n := 0
	check := r.get(ctx, name, path, want, func(ctx context.Context) { n = read(ctx) })
	check.Answered += fmt.Sprintf(", %d %s in %d pages", n, rows, len(r.Wire.seen))
	return check
}

func (r *run) add(check Check) *Check {
	r.report.Checks = append(r.report.Checks, check)
	return &r.report.Checks[len(r.report.Checks)-1]
}

func (r *run) skip(name string, want expected, why string) {
	r.add(Check{Name: name, Documented: want.String(), Answered: "nothing", Verdict: Skipped, Details: []string{why}})
}

// compare judges the last exchange of a kind, and of the others whether they
// keep the document.
func (r *run) compare(name string, all []armclient.Exchange, method, path string, want expected) Check {
	check := Check{Name: name, Documented: want.String(), Verdict: Untold, Answered: "nothing"}
	x, ok := last(all, method, path)
	if !ok || x.Status == 0 {
		check.Details = []string{"no answer came"}
		return check
	}
	op, _ := r.Document.Find(method, path)
	code, form := said(x.Body)
	check.Answered, check.Shape = answered(x, r.redact.text(code), form), r.redact.shape(x.Body)
	findings := r.Document.Answer(op, x)
	check.Verdict = verdict(r.Document.Evidence(op, x.Status), want, x, code, &findings)
	if check.Verdict == Settled || check.Verdict == Differs {
		check.Settles = want.settles
	}
	check.Details = append(check.Details, append(findings.Differs, findings.Notes...)...)
	return check
}

func answered(x armclient.Exchange, code, form string) string {
	text := fmt.Sprint(x.Status)
	if code != "" {
		text += " " + code + ", " + form
	}
	return text + fmt.Sprintf(", after %d ms", x.Took.Milliseconds())
}

func verdict(evidence string, want expected, x armclient.Exchange, code string, f *Findings) Verdict {
	switch {
	case inconclusive(x) && !(x.Status == http.StatusForbidden && slices.Contains(want.codes[x.Status], code)):
		return Untold
	case !slices.Contains(want.statuses, x.Status):
		f.differs("status %d, and the document has %s for this", x.Status, want)
	case len(want.codes[x.Status]) > 0 && !slices.Contains(want.codes[x.Status], code):
		f.differs("another code than the document has for this: %s", want)
	}
	switch {
	case len(f.Differs) > 0:
		return Differs
	case want.settles != "" && strings.Contains(evidence, "unknown"):
		return Settled
	default:
		return Agrees
	}
}

// inconclusive answers say nothing about the question: they come before the
// provider, or from a gateway.
func inconclusive(x armclient.Exchange) bool {
	switch {
	case x.Status == http.StatusUnauthorized, x.Status == http.StatusForbidden, x.Status == http.StatusTooManyRequests, x.Status >= 500:
		return true
	default:
		kind := x.Header.Get("Content-Type")
		return strings.HasPrefix(kind, "text/html") || x.Status == http.StatusNotFound && kind == "" && len(x.Body) == 0
	}
}

// Wire is the way to the provider for one identity in one tenant: the program's
// own clients, with their gate and their checks, and somebody who watches. It is
// for one goroutine.
type Wire struct {
	client *armclient.Client
	seen   []armclient.Exchange
}

// Dial builds the clients; it sends nothing. An error is a *problems.Problem.
func Dial(credential azcore.TokenCredential, o armclient.Options) (*Wire, error) {
	w := &Wire{}
	o.Observe = func(x armclient.Exchange) { w.seen = append(w.seen, x) }
	var err error
	w.client, err = armclient.New(credential, o)
	return w, err
}

func (w *Wire) during(ctx context.Context, f func(context.Context)) []armclient.Exchange {
	w.seen = nil
	f(ctx)
	return w.seen
}

// last returns the last exchange with a method and a path that ends so.
func last(all []armclient.Exchange, method, path string) (armclient.Exchange, bool) {
	for _, x := range slices.Backward(all) {
		if target, err := url.Parse(x.URL); err == nil && x.Method == method && target.Path == path {
			return x, true
		}
	}
	return armclient.Exchange{}, false
}

const authorization = "/providers/Microsoft.Authorization/"

// roles compares the calls that read roles, in the first subscription that this
// identity sees.
func (r *run) roles(ctx context.Context) {
	reader := r.Wire.client.Roles()
	var seen []pec.Subscription
	var identity pec.Identity
	r.list(ctx, "GET of the subscriptions", schemas.PathSubscriptions, expected{statuses: []int{200}}, "subscriptions", func(ctx context.Context) int {
		seen, identity, _ = reader.Subscriptions(ctx)
		return len(seen)
	})
	r.get(ctx, "GET of the own role schedules", schemas.PathRoleSchedules, expected{
		statuses: []int{200, 400}, codes: map[int][]string{400: {"AadPremiumLicenseRequired"}},
	}, func(ctx context.Context) { _, _ = reader.Schedules(ctx) })
	r.assignments(ctx, reader, seen, identity)
}

func (r *run) assignments(ctx context.Context, reader pec.Reader, seen []pec.Subscription, identity pec.Identity) {
	want := expected{statuses: []int{200, 403}, codes: map[int][]string{403: {"AuthorizationFailed"}}}
	if len(seen) == 0 {
		r.skip("GET of the role assignments", want, "this identity sees no subscription")
		return
	}
	id := seen[0].ID
	scope := "/subscriptions/" + id + authorization
	var held []pec.Assignment
	r.list(ctx, "GET of the role assignments", scope+"roleAssignments", want, "assignments", func(ctx context.Context) int {
		held, _, _ = reader.Assignments(ctx, id, identity.ObjectID)
		return len(held)
	})
	want = expected{statuses: []int{200}}
	if len(held) == 0 || held[0].RoleID == "" {
		r.skip("GET of a role definition", want, "no role assignment could be read")
		return
	}
	r.get(ctx, "GET of a role definition", scope+"roleDefinitions/"+held[0].RoleID, want,
		func(ctx context.Context) { _, _ = reader.Role(ctx, id, held[0].RoleID) })
}
