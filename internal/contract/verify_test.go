package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

const ownID, secondID = "1234567", "7654321"

// twisted is a transport whose answers are bent on their way.
type twisted struct {
	next  *http.Client
	twist func(*http.Request, *http.Response)
}

func (t twisted) Do(r *http.Request) (*http.Response, error) {
	resp, err := t.next.Do(r)
	if err == nil && t.twist != nil {
		t.twist(r, resp)
	}
	return resp, err
}

func (w *world) verifier(twist func(*http.Request, *http.Response)) *Verifier {
	w.t.Helper()
	o := w.options(nil)
	o.Transport = twisted{w.http, twist}
	wire, err := Dial(w, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Verifier{
		Document: load(w.t), Wire: wire, Program: "mcp-partner test", CredentialKind: "client_secret", Simulated: true, Now: time.Now,
		Tenant: schemas.Tenant{Name: w.tenant.Name, TenantID: w.tenant.TenantID, Domains: []string{w.tenant.Domain}, Cloud: "custom"},
	}
}

// writer is one whose guard allows everything, with both of the IDs.
func (w *world) writer(o guard.Options) *Writer {
	w.t.Helper()
	o.Store = ledgertest.New(w.t, time.Now)
	g, err := guard.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Writer{Guard: g, Principal: access.Principal{Caller: "terminal", Grant: access.FullGrant()}, PartnerID: ownID, Second: secondID}
}

func free() guard.Options {
	return guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true}
}

func (r Report) named(t *testing.T, name string) Check {
	t.Helper()
	for _, check := range r.Checks {
		if check.Name == name {
			return check
		}
	}
	t.Fatalf("no check %q in %s", name, r.Markdown())
	return Check{}
}

// In each of its characters the simulator keeps the contract, and the open
// questions are answered as that character answers them.
func TestVerifyAgreesWithSimulator(t *testing.T) {
	t.Parallel()
	for _, shape := range []simulator.ErrorShape{simulator.ErrorShapeNested, simulator.ErrorShapeFlat, simulator.ErrorShapeBoth} {
		for _, tombstones := range []float64{0, 100} {
			w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1, ErrorShape: shape, Faults: []simulator.Fault{{Kind: simulator.FaultDeleted200, Percent: tombstones}}, Throttle: wide})
			v := w.verifier(nil)
			v.Writer = w.writer(free())
			report, err := v.Verify(t.Context())
			if err != nil || !report.Agreed() {
				t.Fatalf("%s %v: %v\n%s", shape, tombstones, err, report.Markdown())
			}
			if link, _ := w.sim.Link(w.tenant.TenantID, ""); link.State != simulator.StateDeleted || link.Version != 3 {
				t.Errorf("what remains: %+v", link)
			}
			if got := report.named(t, "GET of the own link"); got.Verdict != Settled || !strings.HasPrefix(got.Answered, "404 NotFound, ") {
				t.Errorf("own link: %+v", got)
			}
			want := map[float64]string{0: "404 NotFound", 100: "200"}[tombstones]
			if got := report.named(t, "GET after the DELETE"); got.Verdict != Settled || !strings.HasPrefix(got.Answered, want) {
				t.Errorf("after the DELETE: %+v", got)
			}
			for _, check := range report.Checks {
				if check.Verdict == Skipped {
					t.Errorf("%s was not asked: %v", check.Name, check.Details)
				}
			}
		}
	}
}

func status(code int) func(*http.Response) { return func(r *http.Response) { r.StatusCode = code } }

func body(kind, text string) func(*http.Response) {
	return func(r *http.Response) {
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
}

func replace(old, with string) func(*http.Response) {
	return func(r *http.Response) {
		text, _ := io.ReadAll(r.Body)
		text = bytes.ReplaceAll(text, []byte(old), []byte(with))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
}

// A provider that differs in one thing is found, in that thing.
func TestVerifyFindsDifferences(t *testing.T) {
	t.Parallel()
	const partners = schemas.PathPartners
	for name, tt := range map[string]struct {
		method, path string
		change       []func(*http.Response)
		check, want  string
	}{
		"created": {
			method: "PUT", path: partners + "/" + ownID, change: []func(*http.Response){status(201)}, check: "PUT where nothing is linked",
			want: "status 201",
		},
		"accepted": {
			method: "DELETE", path: partners + "/" + secondID, change: []func(*http.Response){status(202)}, check: "DELETE of the link",
			want: "status 202",
		},
		"no content": {
			method: "DELETE", path: partners + "/" + secondID, change: []func(*http.Response){status(204)}, check: "DELETE of the link",
			want: "status 204",
		},
		"a body": {
			method: "DELETE", path: partners + "/" + secondID, change: []func(*http.Response){body("application/json", "{}")},
			check: "DELETE of the link", want: "a body or a Content-Type",
		},
		"another code": {
			method: "PUT", path: partners + "/" + secondID,
			change: []func(*http.Response){replace("PartnerIdAlreadyLinked", "Nope"), replace("Conflict", "Nope")},
			check:  "PUT over a live link", want: "another code",
		},
		"409 as 400": {
			method: "PUT", path: partners + "/" + secondID, change: []func(*http.Response){status(400)}, check: "PUT over a live link",
			want: "status 400",
		},
		"malformed 404": {
			method: "GET", path: partners + "/" + malformedID, change: []func(*http.Response){status(404)},
			check: "GET of something that is no partner ID", want: "status 404",
		},
		"a third shape": {
			method: "GET", path: partners + "/" + absentID,
			change: []func(*http.Response){body("application/json", `{"odata.error":{"code":"NotFound"}}`)},
			check:  "GET of a partner ID that is not linked", want: "not what the document says",
		},
		"a list": {
			method: "GET", path: "/operations", change: []func(*http.Response){replace(`"value"`, `"items"`)},
			check: "GET of the operations", want: "value",
		},
		"numbers as IDs": {
			method: "PATCH", path: partners + "/" + secondID,
			change: []func(*http.Response){replace(`"partnerId":"7654321"`, `"partnerId":7654321`)}, check: "PATCH of the link",
			want: "properties.partnerId",
		},
		"no version": {
			method: "PATCH", path: partners + "/" + secondID, change: []func(*http.Response){replace(`"version"`, `"generation"`)},
			check: "PATCH of the link", want: "version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1, Throttle: wide})
			v := w.verifier(func(r *http.Request, resp *http.Response) {
				if r.Method != tt.method || !strings.HasSuffix(r.URL.Path, tt.path) || !strings.Contains(r.URL.RawQuery, schemas.APIVersion) {
					return
				}
				if r.Method == "PATCH" && resp.StatusCode != 200 || r.Method == "DELETE" && resp.StatusCode != 200 {
					return
				}
				for _, change := range tt.change {
					change(resp)
				}
			})
			v.Writer = w.writer(free())
			report, err := v.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := report.named(t, tt.check)
			if report.Agreed() || got.Verdict != Differs || !strings.Contains(strings.Join(got.Details, "\n"), tt.want) {
				t.Errorf("%+v\n%s", got, report.Markdown())
			}
			if link, _ := w.sim.Link(w.tenant.TenantID, ""); link.State == simulator.StateActive {
				t.Errorf("a link was left behind: %+v", link)
			}
		})
	}
}

// What says nothing is no difference, and no agreement either.
func TestVerifyReportsUnansweredChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultHTML, Path: simulator.OpOperations})
	report, err := w.verifier(nil).Verify(t.Context())
	if err != nil || report.Agreed() || report.named(t, "GET of the operations").Verdict != Untold || report.Wrote {
		t.Errorf("%v\n%s", err, report.Markdown())
	}
	empty := w.sim.Inject(simulator.Rule{Kind: simulator.FaultEmpty404, Path: simulator.OpPartners})
	if _, err := w.verifier(nil).Verify(t.Context()); err == nil || problems.As(err).Code != problems.CodeUnexpectedResponse {
		t.Errorf("with an empty 404: %v", err)
	}
	empty()
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultForbidden, Path: simulator.OpPartners})
	if _, err := w.verifier(nil).Verify(t.Context()); err == nil || problems.As(err).Code != problems.CodeForbidden {
		t.Errorf("without an own link: %v", err)
	}
}

// Roles are compared in the first subscription, and what an identity cannot see
// is not a difference.
func TestVerifyComparesRoles(t *testing.T) {
	t.Parallel()
	sub := simulator.Subscription{ID: "dddddddd-0000-4000-8000-000000000009", Name: "Production"}
	held := []simulator.RoleAssignment{{RoleID: simulator.RoleReader, Scope: "/subscriptions/" + sub.ID}}
	below := []simulator.RoleAssignment{{RoleID: simulator.RoleReader, Scope: "/subscriptions/" + sub.ID + "/resourceGroups/app"}}
	for name, tt := range map[string]struct {
		roles                   simulator.Roles
		twist                   func(*http.Response)
		assignments, definition string
	}{
		"a role":          {roles: simulator.Roles{Subscriptions: []simulator.Subscription{sub}, Assignments: held}, assignments: "agrees", definition: "agrees"},
		"no licence":      {roles: simulator.Roles{Subscriptions: []simulator.Subscription{sub}, Assignments: held, Unlicensed: true}, assignments: "agrees", definition: "agrees"},
		"no subscription": {assignments: "not asked"},
		"may not read":    {roles: simulator.Roles{Subscriptions: []simulator.Subscription{sub}, Assignments: below}, assignments: "agrees", definition: "not asked"},
		"no list":         {roles: simulator.Roles{Subscriptions: []simulator.Subscription{sub}, Assignments: held}, twist: replace(`"value"`, `"values"`), assignments: "differs", definition: "not asked"},
		"other refusal":   {roles: simulator.Roles{Subscriptions: []simulator.Subscription{sub}, Assignments: below}, twist: replace("AuthorizationFailed", "Nope"), assignments: "not told", definition: "not asked"},
	} {
		w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1, Throttle: wide})
		if err := w.sim.SetRoles(w.tenant.TenantID, tt.roles); err != nil {
			t.Fatal(err)
		}
		report, err := w.verifier(func(r *http.Request, resp *http.Response) {
			if tt.twist != nil && strings.HasSuffix(r.URL.Path, "/roleAssignments") {
				tt.twist(resp)
			}
		}).Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := report.named(t, "GET of the role assignments"); string(got.Verdict) != tt.assignments {
			t.Errorf("%s: assignments: %+v", name, got)
		}
		if tt.definition != "" && string(report.named(t, "GET of a role definition").Verdict) != tt.definition {
			t.Errorf("%s: definition: %+v", name, report.named(t, "GET of a role definition"))
		}
		if want := tt.assignments == "agrees" || tt.assignments == "not asked"; report.Agreed() != want {
			t.Errorf("%s: agreed is %v\n%s", name, report.Agreed(), report.Markdown())
		}
	}
}

// A link that was there before is never touched, nor one that somebody else
// makes meanwhile.
func TestVerifyKeepsExistingLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1})
	if err := w.sim.SetLink(w.tenant.TenantID, ownID); err != nil {
		t.Fatal(err)
	}
	v := w.verifier(nil)
	v.Writer = w.writer(free())
	_, err := v.Verify(t.Context())
	if err == nil || problems.As(err).Code != problems.CodeAlreadyLinked || w.writes() != 0 {
		t.Errorf("over a link: %v, %d writes", err, w.writes())
	}

	w = newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
	v = w.verifier(nil)
	v.Writer = w.writer(free())
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultOtherWriterLate, Method: "PUT", Times: 1})
	report, err := v.Verify(t.Context())
	link, _ := w.sim.Link(w.tenant.TenantID, "")
	if err != nil || report.Agreed() || report.Remains == "" || link.State != simulator.StateActive {
		t.Errorf("with another writer: %v, %+v\n%s", err, link, report.Markdown())
	}
}

// writes counts the requests that are no GET.
func (w *world) writes() (n int) {
	for _, r := range w.sim.Journal() {
		if writes(r.Method) && (r.Op == simulator.OpPartner || r.Op == simulator.OpPartners) {
			n++
		}
	}
	return n
}

// Every write asks the guard: what it refuses is not sent, and a run is
// confirmed once or not at all.
func TestVerifyAsksTheGuard(t *testing.T) {
	t.Parallel()
	accept := func(_ context.Context, q guard.Question) (guard.Answer, error) {
		return guard.Answer{Action: guard.ActionAccept, Typed: q.Expect}, nil
	}
	wrong := func(context.Context, guard.Question) (guard.Answer, error) {
		return guard.Answer{Action: guard.ActionAccept, Typed: ownID}, nil
	}
	rule := func(ruling access.Ruling, operations ...string) guard.Options {
		return guard.Options{Rules: []access.Rule{{Name: "test", Operations: operations, Tenants: []string{"*"}, PartnerIDs: []string{ownID, secondID}, Ruling: ruling}}}
	}
	for name, tt := range map[string]struct {
		options guard.Options
		confirm func(context.Context, guard.Question) (guard.Answer, error)
		code    problems.Code
		writes  int
	}{
		"writes off":        {options: guard.Options{}, code: problems.CodeWritesDisabled},
		"outside a bound":   {options: guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Bounds: access.Bounds{PartnerIDs: []string{"5555555"}}}, code: problems.CodeNotAllowed},
		"denied":            {options: rule(access.RulingAllow, schemas.ToolRegisterPartner), code: problems.CodePolicyDenied},
		"an approver":       {options: guard.Options{AllowWrites: true}, confirm: accept, code: problems.CodePolicyDenied},
		"nobody there":      {options: guard.Options{AllowWrites: true, Approval: access.ApprovalRequester}, code: problems.CodeApprovalDeclined},
		"typed wrongly":     {options: guard.Options{AllowWrites: true, Approval: access.ApprovalRequester}, confirm: wrong, code: problems.CodeApprovalDeclined},
		"confirmed":         {options: guard.Options{AllowWrites: true, Approval: access.ApprovalRequester}, confirm: accept, writes: 7},
		"allowed by a rule": {options: rule(access.RulingAllow, "write", "destroy"), writes: 6}, // not for the ID that nobody has
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
			v := w.verifier(nil)
			v.Writer = w.writer(tt.options)
			v.Writer.Confirm = tt.confirm
			report, err := v.Verify(t.Context())
			if tt.code == "" {
				if err != nil || !report.Agreed() || w.writes() != tt.writes {
					t.Errorf("%v, %d writes\n%s", err, w.writes(), report.Markdown())
				}
				return
			}
			if err == nil || problems.As(err).Code != tt.code || w.writes() != 0 {
				t.Errorf("%v, %d writes", err, w.writes())
			}
		})
	}
}

// A freeze in the middle stops what is left, and what remains is said.
func TestInterruptedVerifyReportsWhatRemains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
	writer := w.writer(free())
	v := w.verifier(func(r *http.Request, _ *http.Response) {
		if r.Method == http.MethodPut {
			_ = writer.Guard.SetFreeze(context.WithoutCancel(r.Context()), false, "test")
		}
	})
	v.Writer = writer
	report, err := v.Verify(t.Context())
	if err != nil || report.Agreed() || !strings.Contains(report.Markdown(), "A link may remain") || report.named(t, "DELETE of the link").Verdict != Skipped {
		t.Errorf("%v\n%s", err, report.Markdown())
	}
}

// Nothing in a report names a tenant, an identity or a partner, holds a token or
// could break out of its place, whatever the provider says.
func TestReportNamesNoTenantOrIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1, Throttle: wide})
	token, err := w.sim.Token(w.tenant.TenantID, "")
	if err != nil {
		t.Fatal(err)
	}
	hostile := "tenant " + w.tenant.TenantID + " of admin@" + w.tenant.Domain + " is " + strings.ToUpper(w.tenant.Name) + " partner " + secondID +
		" Bearer " + token + " | **x** ``` <script>\u202e\x1b[2J"
	v := w.verifier(func(r *http.Request, resp *http.Response) {
		if resp.StatusCode == 200 || r.URL.Path == schemas.PathPartners {
			return
		}
		text := `{"code":"NotFound","message":` + string(quoteJSON(t, hostile)) + `,"` + token[:30] + `":1,"a|b` + "`" + `":{"tenantId":"` + w.tenant.TenantID + `"}}`
		body("application/json", text)(resp)
	})
	v.Writer = w.writer(free())
	report, err := v.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := report.Markdown()
	if strings.Contains(text, "\n\n\n") || !strings.Contains(text, "settled: ") {
		t.Errorf("the report is not laid out well:\n%s", text)
	}
	object, _ := w.sim.Tenant(w.tenant.Name)
	for _, secret := range []string{w.tenant.TenantID, object.ObjectID, w.tenant.Domain, w.tenant.Name, secondID, ownID, "eyJ", token[:16], token[20:40], "\x1b", "\u202e", "<script"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("the report holds %q:\n%s", secret, text)
		}
	}
	if strings.Count(text, "```")%2 != 0 {
		t.Errorf("a code block is left open:\n%s", text)
	}
}

func quoteJSON(t *testing.T, text string) []byte {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each open question that a check says it closes is a row of docs/limits.md, so
// that the row can be taken out once it is closed.
func TestSettledQuestionsAreListedInLimits(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})
	v := w.verifier(nil)
	v.Writer = w.writer(free())
	report, err := v.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var settled []string
	for _, check := range report.Checks {
		if check.Settles != "" {
			settled = append(settled, check.Settles)
		}
	}
	slices.Sort(settled)
	settled = slices.Compact(settled)
	if len(settled) < 7 {
		t.Errorf("only %d questions are closed: %v", len(settled), settled)
	}
	for _, question := range settled {
		if !strings.Contains(string(text), "\n| "+question+" |") {
			t.Errorf("docs/limits.md has no row %q", question)
		}
	}
}
