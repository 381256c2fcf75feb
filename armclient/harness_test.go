package armclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const (
	tenantID      = "aaaaaaaa-1111-4111-8111-111111111111"
	objectID      = "bbbbbbbb-2222-4222-8222-222222222222"
	otherID       = "cccccccc-3333-4333-8333-333333333333"
	testEndpoint  = "https://management.test"
	testAudience  = "https://management.core.windows.net/"
	partner1      = "1234567"
	partner2      = "7654321"
	notFoundBody  = `{"error":{"code":"NotFound","message":"No partner is linked."}}`
	testRequestID = "11111111-aaaa-4bbb-8ccc-222222222222"
)

// jwt makes a token as Entra ID's look, unsigned.
func jwt(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"typ":"JWT","alg":"none"}`)) + "." + part(payload) + ".c2ln"
}

func tokenFor(tid, oid string) string { return jwt(map[string]any{"tid": tid, "oid": oid}) }

func goodToken() string { return tokenFor(tenantID, objectID) }

// credential hands out the tokens in turn, the last one for ever.
type credential struct {
	mu     sync.Mutex
	tokens []string
	err    error
	asked  []policy.TokenRequestOptions
}

func (c *credential) GetToken(_ context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, options)
	if c.err != nil {
		return azcore.AccessToken{}, c.err
	}
	token := c.tokens[0]
	if len(c.tokens) > 1 {
		c.tokens = c.tokens[1:]
	}
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func withToken(tokens ...string) *credential { return &credential{tokens: tokens} }

// reply is one canned answer, or a transport's failure.
type reply struct {
	status int
	header map[string]string
	body   string
	err    error
	// cut breaks the body off.
	cut bool
	// hang waits for the end of the request's context.
	hang bool
	// before runs when the request arrives.
	before func(*http.Request)
}

// wire is the transport under the real pipeline: it answers from a list, the
// last answer for ever, and keeps what was sent.
type wire struct {
	mu      sync.Mutex
	replies []reply
	sent    []sent
}

type sent struct{ method, url, authorization string }

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	next := w.take(r)
	if next.before != nil {
		next.before(r)
	}
	if next.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if next.err != nil {
		return nil, next.err
	}
	return next.response(r), nil
}

func (w *wire) take(r *http.Request) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, sent{r.Method, r.URL.String(), r.Header.Get("Authorization")})
	if len(w.replies) == 0 {
		return reply{err: errors.New("the test has no answer for this request")}
	}
	next := w.replies[0]
	if len(w.replies) > 1 {
		w.replies = w.replies[1:]
	}
	return next
}

func (r reply) response(req *http.Request) *http.Response {
	header := http.Header{"X-Ms-Request-Id": {testRequestID}, "Content-Type": {"application/json"}}
	for name, value := range r.header {
		header.Set(name, value)
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.cut {
		body = io.MultiReader(body, failing{})
	}
	return &http.Response{StatusCode: r.status, Header: header, Body: io.NopCloser(body), Request: req}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (w *wire) all() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.sent...)
}

// writes counts the requests that are no GET.
func (w *wire) writes() (n int) {
	for _, s := range w.all() {
		if s.method != http.MethodGet {
			n++
		}
	}
	return n
}

func replying(replies ...reply) *wire { return &wire{replies: replies} }

func ok(body string) reply { return reply{status: 200, body: body} }
func status(code int) reply {
	return reply{status: code, body: `{"error":{"code":"Made","message":"up"}}`}
}
func notFound() reply { return reply{status: 404, body: notFoundBody} }
func broken() reply   { return reply{err: io.EOF} }
func (r reply) with(k, v string) reply {
	r.header = map[string]string{k: v}
	return r
}

// linkBody is a link as the provider writes it.
func linkBody(partnerID string, version int64, state string) string {
	body, err := json.Marshal(map[string]any{
		"id": "/providers/microsoft.managementpartner/partners/" + partnerID, "name": partnerID, "etag": version,
		"properties": map[string]any{"partnerId": partnerID, "partnerName": "Contoso", "tenantId": tenantID, "objectId": objectID,
			"version": version, "state": state, "createdTime": "2026-01-16T13:50:00.318186Z", "updatedTime": "2026-01-16T13:56:59.6112004Z"},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func active(partnerID string, version int64) reply { return ok(linkBody(partnerID, version, "Active")) }

func testOptions(transport policy.Transporter) Options {
	return Options{
		TenantID: tenantID, TenantName: "contoso", Cloud: "public", Credential: "default",
		Endpoint: testEndpoint, Audience: testAudience, Transport: transport, RetryDelay: time.Millisecond,
	}
}

func newClient(t testing.TB, cred azcore.TokenCredential, o Options) *Client {
	t.Helper()
	c, err := New(cred, o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

func testClient(t testing.TB, w *wire) *Client {
	t.Helper()
	return newClient(t, withToken(goodToken()), testOptions(w))
}

// recorder is what a guard needs of its store for a write that nobody is asked
// about. The ledger imports this package, so its tests cannot use it.
type recorder struct{ guard.Store }

// Freeze implements guard.Store.
func (recorder) Freeze(context.Context) (guard.Freeze, error) { return guard.Freeze{}, nil }

// Append implements guard.Store.
func (recorder) Append(context.Context, ...guard.Event) (int64, error) { return 1, nil }

// permitFor asks a real guard; tool is the catalogue's name.
func permitFor(t testing.TB, tool, tid, oid, partnerID string) guard.Permit {
	t.Helper()
	g, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: recorder{}})
	if err != nil {
		t.Fatalf("guard.New: %v", err)
	}
	admission := g.Authorize(t.Context(), access.Principal{Caller: "test", Grant: access.FullGrant()}, guard.Intent{
		Caller: "test", Tool: tool, PartnerID: partnerid.ID(partnerID), Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1},
		Identity: answers.Identity{TenantID: tid, ObjectID: oid, Tenant: "contoso", Cloud: "public", Credential: "default"},
	}, false)
	granted, ok := admission.(guard.Granted)
	if !ok {
		t.Fatalf("no permit: %+v", admission)
	}
	return granted.Permit
}

var toolOf = map[string]string{
	http.MethodPut: schemas.ToolRegisterPartner, http.MethodPatch: schemas.ToolUpdatePartner, http.MethodDelete: schemas.ToolRemovePartner,
}

func permit(t testing.TB, change Change) guard.Permit {
	t.Helper()
	return permitFor(t, toolOf[change.Method], tenantID, objectID, string(change.PartnerID))
}

func codeOfErr(err error) problems.Code {
	if err == nil {
		return ""
	}
	return problems.As(err).Code
}

func codeOfProblem(p *problems.Problem) problems.Code {
	if p == nil {
		return ""
	}
	return p.Code
}

// expiring gives one token and then a problem.
type expiring struct {
	mu    sync.Mutex
	first string
	then  error
}

func (e *expiring) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if token := e.first; token != "" {
		e.first = ""
		return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, nil
	}
	return azcore.AccessToken{}, e.then
}

// production is the HTTP client that the program uses, trusting one authority.
func production(t testing.TB, caPEM []byte) *http.Client {
	t.Helper()
	client, err := httpclient.New(httpclient.Options{CAPEM: caPEM})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}
