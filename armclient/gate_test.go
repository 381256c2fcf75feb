package armclient

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const challenge = `Bearer realm="", authorization_uri="https://login.test/", error="insufficient_claims", claims="eyJhIjoxfQ=="`

func testConnection(t *testing.T, cred *credential, o Options) *connection {
	t.Helper()
	client, err := New(cred, o)
	if err != nil {
		t.Fatal(err)
	}
	return client.conn
}

// What a permit is bound to has to be what leaves: method, tenant, identity and
// partner ID.
func TestGateRefusesWritesThatNoPermitFits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		permit guard.Permit
		want   problems.Code
	}{
		"none":           {guard.Permit{}, problems.CodePermitRefused},
		"other method":   {permitFor(t, schemas.ToolRemovePartner, tenantID, objectID, partner1), problems.CodePermitRefused},
		"other partner":  {permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner2), problems.CodePermitRefused},
		"other tenant":   {permitFor(t, schemas.ToolRegisterPartner, otherID, objectID, partner1), problems.CodePermitRefused},
		"other identity": {permitFor(t, schemas.ToolRegisterPartner, tenantID, otherID, partner1), problems.CodePermitRefused},
		"fits":           {permitFor(t, schemas.ToolRegisterPartner, tenantID, strings.ToUpper(objectID), partner1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			_, err := testConnection(t, withToken(goodToken()), testOptions(w)).write(t.Context(), test.permit, http.MethodPut, partner1)
			if codeOfErr(err) != test.want || (w.writes() == 1) != (test.want == "") {
				t.Errorf("%v, %d writes sent", err, w.writes())
			}
		})
	}
}

func TestGateSpendsAPermitOnce(t *testing.T) {
	t.Parallel()
	w := replying(active(partner1, 1))
	conn := testConnection(t, withToken(goodToken()), testOptions(w))
	once := permitFor(t, schemas.ToolUpdatePartner, tenantID, objectID, partner1)
	if _, err := conn.write(t.Context(), once, http.MethodPatch, partner1); err != nil {
		t.Fatal(err)
	}
	_, err := conn.write(t.Context(), once, http.MethodPatch, partner1)
	if codeOfErr(err) != problems.CodePermitRefused || w.writes() != 1 {
		t.Errorf("%v after %d writes", err, w.writes())
	}
}

// A token for somebody else stops reads too: the answer would be about another
// link.
func TestGateComparesTheToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token, pinned string
		read, write   problems.Code
	}{
		"right":                {token: goodToken(), pinned: objectID},
		"upper case":           {token: tokenFor(strings.ToUpper(tenantID), strings.ToUpper(objectID)), pinned: objectID},
		"other tenant":         {token: tokenFor(otherID, objectID), read: problems.CodeWrongTenant, write: problems.CodeWrongTenant},
		"other tenant, no oid": {token: jwt(map[string]any{"tid": otherID}), read: problems.CodeWrongTenant, write: problems.CodeWrongTenant},
		"other identity": {
			token: tokenFor(tenantID, otherID), pinned: objectID, read: problems.CodeWrongIdentity, write: problems.CodeWrongIdentity,
		},
		"pinned, no tid": {
			token: jwt(map[string]any{"oid": otherID}), pinned: objectID, read: problems.CodeWrongIdentity,
			write: problems.CodeWrongIdentity,
		},
		"opaque":               {token: "opaque", write: problems.CodeTokenUnreadable},
		"no oid":               {token: jwt(map[string]any{"tid": tenantID}), write: problems.CodeTokenUnreadable},
		"five parts":           {token: goodToken() + ".d.e", write: problems.CodeTokenUnreadable},
		"other case of names":  {token: jwt(map[string]any{"TID": tenantID, "OID": objectID}), write: problems.CodeTokenUnreadable},
		"claims of other type": {token: jwt(map[string]any{"tid": []string{tenantID}, "oid": 7}), write: problems.CodeTokenUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			o := testOptions(w)
			o.PinnedObjectID = test.pinned
			f := testConnection(t, withToken(test.token), o)
			_, err := f.read(t.Context(), schemas.PathPartners, schemas.APIVersion)
			if codeOfErr(err) != test.read || (len(w.all()) == 0) != (test.read != "") {
				t.Errorf("read: %v, %d sent", err, len(w.all()))
			}
			once := permitFor(t, schemas.ToolRemovePartner, tenantID, objectID, partner1)
			_, err = f.write(t.Context(), once, http.MethodDelete, partner1)
			if codeOfErr(err) != test.write || (w.writes() == 0) != (test.write != "") || once.Spent() != (test.write == "") {
				t.Errorf("write: %v, %d sent", err, w.writes())
			}
		})
	}
}

// The gate looks at the token that leaves, not at the one before: after a
// challenge it may be another.
func TestGateAfterClaimsChallenge(t *testing.T) {
	t.Parallel()
	challenged := status(401).with("WWW-Authenticate", challenge)
	for name, test := range map[string]struct {
		replies []reply
		second  string
		want    problems.Code
		writes  int
	}{
		"one": {replies: []reply{challenged, active(partner1, 1)}, second: goodToken(), writes: 2},
		"two": {
			replies: []reply{challenged, challenged, active(partner1, 1)}, second: goodToken(), want: problems.CodeUnauthorized, writes: 2,
		},
		"other tenant": {
			replies: []reply{challenged, active(partner1, 1)}, second: tokenFor(otherID, objectID), want: problems.CodeWrongTenant,
			writes: 1,
		},
		"other identity": {
			replies: []reply{challenged, active(partner1, 1)}, second: tokenFor(tenantID, otherID), want: problems.CodePermitRefused,
			writes: 1,
		},
		"opaque": {replies: []reply{challenged, active(partner1, 1)}, second: "opaque", want: problems.CodeTokenUnreadable, writes: 1},
		"no challenge": {
			replies: []reply{status(401).with("WWW-Authenticate", `Bearer error="invalid_token"`), active(partner1, 1)}, second: goodToken(),
			want: problems.CodeUnauthorized, writes: 1,
		},
		"claims unusable": {
			replies: []reply{status(401).with("WWW-Authenticate", `Bearer error="insufficient_claims", claims="%%"`), active(partner1, 1)},
			second:  goodToken(), want: problems.CodeUnauthorized, writes: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(test.replies...)
			once := permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner1)
			cred := withToken(goodToken(), test.second)
			_, err := testConnection(t, cred, testOptions(w)).write(t.Context(), once, http.MethodPut, partner1)
			if codeOfErr(err) != test.want || w.writes() != test.writes {
				t.Errorf("%v after %d writes, want %s after %d", err, w.writes(), test.want, test.writes)
			}
		})
	}
}

func TestGateHandsTheClaimsToTheCredential(t *testing.T) {
	t.Parallel()
	cred := withToken(goodToken())
	w := replying(status(401).with("WWW-Authenticate", challenge), notFound())
	if read := newClient(t, cred, testOptions(w)).Link(t.Context()); read.Link.State != answers.LinkNotLinked {
		t.Fatalf("%+v", read)
	}
	if len(cred.asked) != 2 || cred.asked[1].Claims != `{"a":1}` {
		t.Errorf("asked %+v", cred.asked)
	}
	for _, asked := range cred.asked {
		if !asked.EnableCAE || len(asked.Scopes) != 1 || asked.Scopes[0] != "https://management.core.windows.net//.default" {
			t.Errorf("asked %+v", asked)
		}
	}
}

// raw sends a request of any kind down the pipeline, past the client.
func raw(t *testing.T, f *connection, ctx context.Context, method, url string) error {
	t.Helper()
	req, err := runtime.NewRequest(ctx, method, url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.pipeline.Do(req)
	return err
}

func TestGateRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	good := testEndpoint + schemas.PathPartners
	for name, test := range map[string]struct {
		method, url string
		want        problems.Code
	}{
		"HEAD":           {method: http.MethodHead, url: good, want: problems.CodePermitRefused},
		"POST":           {method: http.MethodPost, url: good + "/" + partner1, want: problems.CodePermitRefused},
		"OPTIONS":        {method: http.MethodOptions, url: good, want: problems.CodePermitRefused},
		"lower-case get": {method: "get", url: good, want: problems.CodePermitRefused},
		"PUT of nobody":  {method: http.MethodPut, url: good, want: problems.CodePermitRefused},
		"PUT deeper":     {method: http.MethodPut, url: good + "/x/" + partner1, want: problems.CodePermitRefused},
		"PUT escaped":    {method: http.MethodPut, url: good + "/%31234567", want: problems.CodePermitRefused},
		"PUT climbing":   {method: http.MethodPut, url: good + "/../partners/" + partner1, want: problems.CodePermitRefused},
		"PUT other provider": {
			method: http.MethodPut, url: testEndpoint + "/providers/Microsoft.Other/partners/" + partner1, want: problems.CodePermitRefused,
		},
		"PUT of somebody":    {method: http.MethodPut, url: good + "/" + partner1},
		"other host":         {method: http.MethodGet, url: "https://elsewhere.test/", want: problems.CodeUnexpectedResponse},
		"other port":         {method: http.MethodGet, url: testEndpoint + ":8443/", want: problems.CodeUnexpectedResponse},
		"same port, written": {method: http.MethodGet, url: testEndpoint + ":443/tenants"},
		"user in front":      {method: http.MethodGet, url: "https://management.test@elsewhere.test/", want: problems.CodeUnexpectedResponse},
		"longer host":        {method: http.MethodGet, url: testEndpoint + ".elsewhere.test/", want: problems.CodeUnexpectedResponse},
		"PUT on another host": {
			method: http.MethodPut, url: "https://elsewhere.test" + schemas.PathPartners + "/" + partner1,
			want: problems.CodeUnexpectedResponse,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			f := testConnection(t, withToken(goodToken()), testOptions(w))
			ctx, call := withRecord(t.Context())
			call.permit = permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner1)
			err := raw(t, f, ctx, test.method, test.url)
			if codeOfErr(err) != test.want || (len(w.all()) == 0) != (test.want != "") {
				t.Errorf("%v, sent %v", err, w.all())
			}
		})
	}
}

// azcore's policy for headers of the context stands inside the gate: a caller
// could put another token in place of the one that was looked at.
func TestHeadersOfTheContextAreDropped(t *testing.T) {
	t.Parallel()
	w := replying(notFound())
	ctx := policy.WithHTTPHeader(t.Context(), http.Header{"Authorization": {"Bearer stolen"}, "X-Http-Method-Override": {"DELETE"}})
	testClient(t, w).Link(ctx)
	if got := w.all()[0].authorization; got != "Bearer "+goodToken() {
		t.Errorf("Authorization was replaced: %q", got)
	}
}

// Nor may a caller's retry options make a write repeat.
func TestRetryOptionsOfTheContextAreDropped(t *testing.T) {
	t.Parallel()
	w := replying(status(500))
	ctx := policy.WithRetryOptions(t.Context(), policy.RetryOptions{MaxRetries: 9, RetryDelay: 1})
	change := Change{Method: http.MethodPut, PartnerID: partner1, Before: answers.Link{State: answers.LinkNotLinked}}
	once := permit(t, change)
	_, err := testConnection(t, withToken(goodToken()), testOptions(w)).write(ctx, once, http.MethodPut, partner1)
	if codeOfErr(err) != problems.CodeARMUnavailable || w.writes() != 1 {
		t.Errorf("%v after %d writes", err, w.writes())
	}
}

func TestPartnerIDsAreCheckedBeforeAPathIsMade(t *testing.T) {
	t.Parallel()
	w := replying(active(partner1, 1))
	conn := testConnection(t, withToken(goodToken()), testOptions(w))
	for _, id := range []partnerid.ID{"", "123", "12345678901", "12/34", "..", "1234567?x=1", "１２３４"} {
		if _, err := conn.linkTo(t.Context(), id); codeOfErr(err) != problems.CodeInvalidPartnerID {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := conn.write(t.Context(), guard.Permit{}, http.MethodDelete, id); codeOfErr(err) != problems.CodeInvalidPartnerID {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	if len(w.all()) != 0 {
		t.Errorf("sent %v", w.all())
	}
}
