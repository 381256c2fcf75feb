package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// Who gets in where.
const (
	everybody  = "alice bob carol dora reader contoso" // everybody of people() but nobody
	allTenants = "alice bob carol dora reader"
	approver   = "bob carol dora"
	stopper    = "alice bob carol dora contoso"
)

// routeAccess is who gets in at one address of a route.
type routeAccess struct {
	route string // as in the table of the console
	at    string // an address of it; names in braces are of the fixture
	form  string // what is sent, as a query
	in    string // who gets an answer; all others are told that it is not there
	want  int    // of who gets in; 0 is 200 for GET and 303 for POST, letIn is any but 404
}

// letIn is for a form that is answered by what stands meanwhile.
const letIn = -1

// routeTable has a row for each route of the console.
func routeTable() []routeAccess {
	return []routeAccess{
		{route: "GET /console/{$}", at: "/console/", in: everybody},
		{route: "GET /console/customers", at: "/console/customers", in: everybody},
		{route: "GET /console/customers/{name}", at: "/console/customers/contoso", in: everybody},
		{route: "GET /console/customers/{name}", at: "/console/customers/fabrikam", in: allTenants},
		{route: "GET /console/customers/{name}", at: "/console/customers/none", in: ""},
		{route: "GET /console/approvals", at: "/console/approvals", in: stopper},
		{route: "GET /console/approvals/{id}", at: "/console/approvals/{pending}", in: approver},
		{route: "GET /console/approvals/{id}", at: "/console/approvals/{own}", in: "alice " + approver},
		{route: "GET /console/approvals/{id}/progress", at: "/console/approvals/{pending}/progress", in: approver},
		{route: "GET /console/freeze", at: "/console/freeze", in: everybody},
		{route: "GET /console/audits", at: "/console/audits", in: everybody},
		{route: "GET /console/audits/compare", at: "/console/audits/compare?before={audit}&after={audit}", in: allTenants},
		{route: "GET /console/audits/{id}", at: "/console/audits/{audit}", in: allTenants},
		{route: "GET /console/audits/{id}/progress", at: "/console/audits/{audit}/progress", in: allTenants},
		{route: "GET /console/audits/{id}/download", at: "/console/audits/{audit}/download?format=csv", in: allTenants},
		{route: "GET /console/runs", at: "/console/runs", in: everybody},
		{route: "GET /console/runs/{id}", at: "/console/runs/{run}", in: allTenants},
		{route: "GET /console/runs/{id}/progress", at: "/console/runs/{run}/progress", in: allTenants},
		{route: "GET /console/record", at: "/console/record", in: everybody},
		{route: "GET /console/record/export", at: "/console/record/export?format=csv", in: allTenants},
		{route: "GET /console/record/head", at: "/console/record/head", in: allTenants},
		{route: "GET /console/record/{seq}", at: "/console/record/{seq}", in: allTenants},
		{route: "GET /console/access", at: "/console/access", in: approver},

		{route: "POST /console/access", at: "/console/access", form: "end=token&id={token}", in: approver},
		{route: "POST /console/access", at: "/console/access", form: "end=none&id={token}", in: ""},
		{route: "POST /console/access/people", at: "/console/access/people", form: "answer=invite&name=erin&scope=partner.read", in: approver, want: letIn},
		{route: "POST /console/access/people", at: "/console/access/people", form: "answer=promote&name=erin", in: approver, want: http.StatusBadRequest},
		{route: "POST /console/access/people/challenge", at: "/console/access/people/challenge", form: "answer=invite&name=erin&scope=partner.read", in: approver, want: http.StatusForbidden},
		{route: "POST /console/put-off", at: "/console/put-off", form: "tenant=contoso&note=later&until={day}", in: stopper},
		{route: "POST /console/put-off", at: "/console/put-off", form: "tenant=fabrikam&note=later&until={day}", in: "alice " + approver},
		{route: "POST /console/customers/{name}", at: "/console/customers/contoso", form: "do=check_partner_link", in: everybody, want: http.StatusOK},
		{route: "POST /console/customers/{name}", at: "/console/customers/fabrikam", form: "do=check_partner_link", in: allTenants, want: http.StatusOK},
		{route: "POST /console/audits", at: "/console/audits", in: everybody},
		{route: "POST /console/audits/{id}", at: "/console/audits/{audit}", in: ""}, // the audit is the agent's
		{route: "POST /console/runs/{id}", at: "/console/runs/{run}", in: "alice"},
		{route: "POST /console/record/verify", at: "/console/record/verify", in: allTenants, want: http.StatusOK},
		{route: "POST /console/approvals/{id}/challenge", at: "/console/approvals/{pending}/challenge", form: "answer=approve&digest={digest}", in: approver, want: http.StatusForbidden},
		{route: "POST /console/approvals/{id}/execute", at: "/console/approvals/{pending}/execute", in: approver},
		{route: "POST /console/approvals/{id}", at: "/console/approvals/{pending}", form: "answer=deny&reason=no&digest={digest}", in: approver},
		{route: "POST /console/freeze", at: "/console/freeze", form: "what=writes&reason=stop", in: stopper},
		{route: "POST /console/freeze/lift/challenge", at: "/console/freeze/lift/challenge", in: approver, want: letIn},
		{route: "POST /console/freeze/lift", at: "/console/freeze/lift", form: "answer=approve", in: approver, want: letIn},
	}
}

func (a routeAccess) method() string { method, _, _ := strings.Cut(a.route, " "); return method }

func (a routeAccess) status() int {
	switch {
	case a.want != 0:
		return a.want
	case a.method() == http.MethodPost:
		return http.StatusSeeOther
	default:
		return http.StatusOK
	}
}

// routeRig is a rig in which something is at every address, and everybody is signed in.
type routeRig struct {
	*rig
	browsers map[string]*browser
	names    map[string]string // in braces, of the fixture
}

func newRouteRig(t *testing.T, faults ...string) *routeRig {
	t.Helper()
	rr := &routeRig{rig: newRig(t, 4, approvers(), faults...), browsers: map[string]*browser{}, names: map[string]string{}}
	rr.audited()
	for who := range people() {
		rr.browsers[who] = rr.browser(who)
		rr.browsers[who].client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	alice, bob := rr.browsers["alice"], rr.browsers["bob"]
	rr.names["run"] = rr.writtenBy(alice.caller(), "northwind")
	rr.names["own"] = rr.askAs(alice.caller(), schemas.ToolUpdatePartner, `{"tenant":"fabrikam","partner_id":"`+ownID+`"}`)
	rr.names["audit"] = strings.TrimPrefix(ownAddress.FindString(bob.get("/console/audits").text), "/console/audits/")
	_, token, err := rr.guard.IssueToken(t.Context(), guard.TokenRequest{For: "ci", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso"}}})
	if err != nil {
		t.Fatal(err)
	}
	rr.names["token"] = token.ID
	rr.names["day"] = time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	events, err := rr.app.Record().List(t.Context(), filterOfTenant("fabrikam"))
	if err != nil || len(events) == 0 {
		t.Fatal("nothing is recorded of fabrikam", err)
	}
	rr.names["seq"] = itoa(events[0].Seq)
	return rr
}

// writtenBy has somebody write where nobody is asked, and returns the ID of the run.
func (rr *routeRig) writtenBy(caller access.Caller, tenant string) string {
	rr.t.Helper()
	open, err := rr.app.Guard(guard.Options{AllowWrites: true, Approval: "none", Bounds: rr.guard.Bounds()})
	if err != nil {
		rr.t.Fatal(err)
	}
	e := rr.app.Service(open).Call(rr.t.Context(), tools.Call{
		Tool: schemas.ToolEnsurePartnerLinks, Arguments: []byte(`{"partner_id":"` + ownID + `","tenants":["` + tenant + `"]}`),
		Principal: access.Principal{Caller: caller, Grant: access.FullGrant()}, Confirmer: tools.NoConfirmer{},
	}).Envelope
	if e.RunID == "" {
		rr.t.Fatalf("no run: %+v", e.Problem)
	}
	return e.RunID
}

// fill puts the fixture's names into an address or a form. An approval that was decided
// is asked for again.
func (rr *routeRig) fill(text string) string {
	rr.t.Helper()
	if strings.Contains(text, "{pending}") {
		if id := rr.names["pending"]; id == "" || rr.state(id) != guard.StatePending {
			rr.names["pending"] = rr.askToRegister("contoso")
		}
		rr.names["digest"] = found(rr.t, shownDigest, rr.browsers["carol"].get("/console/approvals/"+rr.names["pending"]).text)
	}
	return rr.filled(text)
}

// filled is fill where nothing has to be asked for.
func (rr *routeRig) filled(text string) string {
	for name, value := range rr.names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// send sends a request of the table, with the form token of the browser or another one.
func (rr *routeRig) send(b *browser, a routeAccess, token string, headers ...string) answer {
	rr.t.Helper()
	at, form := rr.fill(a.at), ""
	if a.method() == http.MethodPost {
		form = rr.fill(a.form) + "&form_token=" + url.QueryEscape(token)
	}
	got := b.do(a.method(), at, form, headers...)
	checkAnswer(rr.t, a.method()+" "+at, got)
	return got
}

// token is the form token of the session of a browser.
func (b *browser) token() string {
	at, _ := url.Parse(b.url) // the rig made it
	for _, cookie := range b.client.Jar.Cookies(at) {
		if cookie.Name == "__Host-session" {
			return page.TokenOf(cookie.Value)
		}
	}
	return ""
}

// checkAnswer fails for an answer that another site may frame, or that may run what is
// not of this server.
func checkAnswer(t testing.TB, what string, got answer) {
	t.Helper()
	policy := got.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
		!strings.Contains(policy, "frame-ancestors 'none'") || got.Header.Get("X-Frame-Options") != "DENY" ||
		got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d may be framed, kept or made to run something: %v", what, got.StatusCode, got.Header)
	}
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || got.Header.Get("Content-Disposition") != "" {
		return
	}
	for token := range tokens(t, got.text) {
		for _, a := range token.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				t.Errorf("%s: inline style or script: %s", what, token)
			}
		}
		if token.Type == html.StartTagToken && (token.Data == "style" || token.Data == "script" && !slices.ContainsFunc(token.Attr, func(a html.Attribute) bool { return a.Key == "src" && strings.HasPrefix(a.Val, page.AssetPath) })) {
			t.Errorf("%s: inline style or script: %s", what, token)
		}
	}
}

func tokens(t testing.TB, text string) func(yield func(html.Token) bool) {
	return func(yield func(html.Token) bool) {
		z := html.NewTokenizer(strings.NewReader(text))
		for z.Next() != html.ErrorToken {
			if !yield(z.Token()) {
				return
			}
		}
	}
}

func TestEveryRouteHasARowInTheTable(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4, guard.Options{})
	known := map[string]bool{}
	for _, a := range routeTable() {
		known[a.route] = true
	}
	for _, route := range r.console.Routes() {
		if !known[route] {
			t.Errorf("%s has no row in routeTable: say who gets in", route)
		}
		delete(known, route)
	}
	for route := range known {
		t.Errorf("%s is in routeTable and not in the console", route)
	}
}

func TestEveryRouteIsForThoseOfTheTableAlone(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t)
	out := rr.browser("")
	out.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, a := range routeTable() {
		if got := rr.send(out, a, "x"); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/signin?next=") {
			t.Errorf("%s: who is not signed in gets %d %s", a.route, got.StatusCode, got.Header.Get("Location"))
		}
		for _, who := range []string{"nobody", "reader", "contoso", "alice", "bob", "carol", "dora"} {
			want := http.StatusNotFound
			if who == "nobody" {
				want = http.StatusForbidden
			}
			if slices.Contains(strings.Fields(a.in), who) {
				want = a.status()
			}
			if got := rr.send(rr.browsers[who], a, rr.browsers[who].token()); got.StatusCode != want && (want != letIn || got.StatusCode == http.StatusNotFound) {
				t.Errorf("%s %s: %s gets %d, want %d: %s", a.method(), a.at, who, got.StatusCode, want, plain(got.text))
			}
		}
	}
}

// plain is the text of a page, for messages.
func plain(text string) string {
	_, text, _ = strings.Cut(text, "<main")
	return text[:min(len(text), 500)]
}

// entries counts what is recorded.
func (r *rig) entries() int64 {
	r.t.Helper()
	head, err := r.app.Record().Head(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return head.Seq
}

func TestGETOfNoRouteChangesAnything(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t)
	rr.fill("{pending}")
	entries, requests := rr.entries(), rr.azure.Requests()
	for _, a := range routeTable() {
		for _, who := range []string{"dora", "alice", "contoso"} {
			if a.method() == http.MethodGet {
				rr.send(rr.browsers[who], a, "")
			}
		}
	}
	if now, asked := rr.entries(), rr.azure.Requests(); now != entries || asked != requests {
		t.Errorf("looking made %d entries in the record and %d requests to Azure", now-entries, asked-requests)
	}
}

func TestFormsFromElsewhereDoNothingOnAnyRoute(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t)
	rr.fill("{pending}")
	entries, requests := rr.entries(), rr.azure.Requests()
	dora := rr.browsers["dora"]
	for _, a := range routeTable() {
		if a.method() != http.MethodPost {
			continue
		}
		for name, got := range map[string]answer{
			"no token":                   rr.send(dora, a, ""),
			"the token of another":       rr.send(dora, a, rr.browsers["bob"].token()),
			"a form of another site":     rr.send(dora, a, dora.token(), "Sec-Fetch-Site", "cross-site"),
			"a form of a sibling's site": rr.send(dora, a, dora.token(), "Sec-Fetch-Site", "same-site"),
			"an old browser elsewhere":   rr.send(dora, a, dora.token(), "Sec-Fetch-Site", "", "Origin", "https://evil.example"),
		} {
			if got.StatusCode != http.StatusForbidden || !strings.Contains(got.text, "Not from this page") {
				t.Errorf("%s: %s: %d", a.route, name, got.StatusCode)
			}
		}
	}
	if now, asked := rr.entries(), rr.azure.Requests(); now != entries || asked != requests {
		t.Errorf("forms from elsewhere made %d entries in the record and %d requests to Azure", now-entries, asked-requests)
	}
}

func TestFormOfASessionThatEndedOrAGrantThatIsGoneDoesNothing(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t)
	rr.fill("{pending}")
	dora, bob, alice := rr.browsers["dora"], rr.browsers["bob"], rr.browsers["alice"]
	token := bob.token()
	if err := rr.guard.SignOutUser(t.Context(), string(bob.caller()), ""); err != nil {
		t.Fatal(err)
	}
	less := mapping(rr.issuer.URL())
	less.Grants = slices.DeleteFunc(less.Grants, func(g auth.CallerGrant) bool { return g.Name == "dora" || g.Name == "alice" })
	if err := rr.callers.Remap(less); err != nil {
		t.Fatal(err)
	}
	entries, requests := rr.entries(), rr.azure.Requests()
	for _, a := range routeTable() {
		if a.method() != http.MethodPost {
			continue
		}
		if got := rr.send(bob, a, token); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/signin?next=%2Fconsole%2F" {
			t.Errorf("%s: a session that ended gets %d", a.route, got.StatusCode)
		}
		for who, b := range map[string]*browser{"dora": dora, "alice": alice} {
			if got := rr.send(b, a, b.token()); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s, who is in no grant any more, gets %d", a.route, who, got.StatusCode)
			}
		}
	}
	if now, asked := rr.entries(), rr.azure.Requests(); now != entries || asked != requests {
		t.Errorf("forms of nobody made %d entries in the record and %d requests to Azure", now-entries, asked-requests)
	}
}

func TestManyPeopleAtOnceGetTheirOwnPages(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t)
	rr.fill("{pending}")
	var all sync.WaitGroup
	for i := range 64 {
		who := []string{"nobody", "reader", "contoso", "alice", "bob", "carol", "dora", "dora"}[i%8]
		all.Go(func() {
			b := rr.browsers[who]
			for _, a := range routeTable() {
				if a.method() != http.MethodGet || i/8 != len(a.at)%8 {
					continue
				}
				in := slices.Contains(strings.Fields(a.in), who)
				if got := b.do(http.MethodGet, rr.filled(a.at), ""); (got.StatusCode == http.StatusOK) != in {
					t.Errorf("%s: %s gets %d", a.at, who, got.StatusCode)
				}
			}
		})
	}
	all.Wait()
}

// hostile is text that leaves its place where it is not escaped, and turns what follows.
const hostile = "\"><img src=x onerror=alert(1)>\u202eevil"

func TestHostileTextIsDataOnEveryPage(t *testing.T) {
	t.Parallel()
	rr := newRouteRig(t, "hostile_names=100")
	alice := rr.browsers["alice"]
	rr.askAs("token:"+hostile, schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"`+ownID+`","reason":"\"><img src=x onerror=alert(1)>\u202eevil"}`)
	for path, form := range map[string]url.Values{
		"/console/put-off": {"tenant": {"contoso"}, "note": {hostile}, "until": {rr.names["day"]}},
		"/console/freeze":  {"what": {"writes"}, "reason": {hostile}},
	} {
		form.Set("form_token", alice.token())
		if got := alice.do(http.MethodPost, path, form.Encode()); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d", path, got.StatusCode)
		}
	}
	waiting, err := rr.guard.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/console/customers?q=" + url.QueryEscape(hostile), "/console/customers?label=" + url.QueryEscape(hostile), "/console/record?tenant=" + url.QueryEscape(hostile)}
	for _, ticket := range waiting {
		paths = append(paths, "/console/approvals/"+ticket.ID)
	}
	for _, a := range routeTable() {
		if a.method() == http.MethodGet && !strings.Contains(a.at, "{pending}") {
			paths = append(paths, rr.filled(a.at))
		}
	}
	seen := false
	for _, path := range paths {
		for _, who := range []string{"dora", "alice"} {
			got := rr.browsers[who].do(http.MethodGet, path, "")
			checkAnswer(t, path, got)
			if strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
				seen = checkData(t, path, got.text) || seen
			}
		}
	}
	if !seen {
		t.Error("no page showed anything hostile: the test shows nothing")
	}
}

// checkData fails if the hostile text became a tag, or turns text outside of its place.
// It reports whether the page has the text.
func checkData(t *testing.T, path, text string) (seen bool) {
	t.Helper()
	isolated := 0
	for token := range tokens(t, text) {
		switch {
		case token.Type == html.StartTagToken && token.Data == "bdi":
			isolated++
		case token.Type == html.EndTagToken && token.Data == "bdi":
			isolated--
		case token.Data == "img" || token.Data == "iframe" || token.Data == "b":
			t.Errorf("%s: data became the tag %s", path, token)
		case token.Type == html.TextToken:
			seen = seen || strings.Contains(token.Data, "onerror")
			if isolated == 0 && strings.ContainsAny(token.Data, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
				t.Errorf("%s: text outside of a bdi is turned: %q", path, token.Data)
			}
		}
	}
	return seen
}
