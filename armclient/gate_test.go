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
			err := testConnection(t, withToken(goodToken()), testOptions(w)).write(t.Context(), test.permit, http.MethodPut, partner1)
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
	if err := conn.write(t.Context(), once, http.MethodPatch, partner1); err != nil {
		t.Fatal(err)
	}
	err := conn.write(t.Context(), once, http.MethodPatch, partner1)
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
		"right":                {goodToken(), objectID, "", ""},
		"upper case":           {tokenFor(strings.ToUpper(tenantID), strings.ToUpper(objectID)), objectID, "", ""},
		"other tenant":         {tokenFor(otherID, objectID), "", problems.CodeWrongTenant, problems.CodeWrongTenant},
		"other tenant, no oid": {jwt(map[string]any{"tid": otherID}), "", problems.CodeWrongTenant, problems.CodeWrongTenant},
		"other identity":       {tokenFor(tenantID, otherID), objectID, problems.CodeWrongIdentity, problems.CodeWrongIdentity},
		"pinned, no tid":       {jwt(map[string]any{"oid": otherID}), objectID, problems.CodeWrongIdentity, problems.CodeWrongIdentity},
		"opaque":               {"opaque", "", "", problems.CodeTokenUnreadable},
		"no oid":               {jwt(map[string]any{"tid": tenantID}), "", "", problems.CodeTokenUnreadable},
		"five parts":           {goodToken() + ".d.e", "", "", problems.CodeTokenUnreadable},
		"other case of names":  {jwt(map[string]any{"TID": tenantID, "OID": objectID}), "", "", problems.CodeTokenUnreadable},
		"claims of other type": {jwt(map[string]any{"tid": []string{tenantID}, "oid": 7}), "", "", problems.CodeTokenUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			o := testOptions(w)
			o.PinnedObjectID = test.pinned
			f := testConnection(t, withToken(test.token), o)
			_, err := f.read(t.Context(), f.retry, schemas.PathPartners, schemas.APIVersion)
			if codeOfErr(err) != test.read || (len(w.all()) == 0) != (test.read != "") {
				t.Errorf("read: %v, %d sent", err, len(w.all()))
			}
			once := permitFor(t, schemas.ToolRemovePartner, tenantID, objectID, partner1)
			err = f.write(t.Context(), once, http.MethodDelete, partner1)
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
		"one":             {[]reply{challenged, active(partner1, 1)}, goodToken(), "", 2},
		"two":             {[]reply{challenged, challenged, active(partner1, 1)}, goodToken(), problems.CodeUnauthorized, 2},
		"other tenant":    {[]reply{challenged, active(partner1, 1)}, tokenFor(otherID, objectID), problems.CodeWrongTenant, 1},
		"other identity":  {[]reply{challenged, active(partner1, 1)}, tokenFor(tenantID, otherID), problems.CodePermitRefused, 1},
		"opaque":          {[]reply{challenged, active(partner1, 1)}, "opaque", problems.CodeTokenUnreadable, 1},
		"no challenge":    {[]reply{status(401).with("WWW-Authenticate", `Bearer error="invalid_token"`), active(partner1, 1)}, goodToken(), problems.CodeUnauthorized, 1},
		"claims unusable": {[]reply{status(401).with("WWW-Authenticate", `Bearer error="insufficient_claims", claims="%%"`), active(partner1, 1)}, goodToken(), problems.CodeUnauthorized, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(test.replies...)
			once := permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner1)
			cred := withToken(goodToken(), test.second)
			err := testConnection(t, cred, testOptions(w)).write(t.Context(), once, http.MethodPut, partner1)
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
	_, err = f.arm.Pipeline().Do(req)
	return err
}

func TestGateRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	good := testEndpoint + schemas.PathPartners
	for name, test := range map[string]struct {
		method, url string
		want        problems.Code
	}{
		"HEAD":                {http.MethodHead, good, problems.CodePermitRefused},
		"POST":                {http.MethodPost, good + "/" + partner1, problems.CodePermitRefused},
		"OPTIONS":             {http.MethodOptions, good, problems.CodePermitRefused},
		"lower-case get":      {"get", good, problems.CodePermitRefused},
		"PUT of nobody":       {http.MethodPut, good, problems.CodePermitRefused},
		"PUT deeper":          {http.MethodPut, good + "/x/" + partner1, problems.CodePermitRefused},
		"PUT escaped":         {http.MethodPut, good + "/%31234567", problems.CodePermitRefused},
		"PUT climbing":        {http.MethodPut, good + "/../partners/" + partner1, problems.CodePermitRefused},
		"PUT other provider":  {http.MethodPut, testEndpoint + "/providers/Microsoft.Other/partners/" + partner1, problems.CodePermitRefused},
		"PUT of somebody":     {http.MethodPut, good + "/" + partner1, ""},
		"other host":          {http.MethodGet, "https://elsewhere.test/", problems.CodeUnexpectedResponse},
		"other port":          {http.MethodGet, testEndpoint + ":8443/", problems.CodeUnexpectedResponse},
		"same port, written":  {http.MethodGet, testEndpoint + ":443/tenants", ""},
		"user in front":       {http.MethodGet, "https://management.test@elsewhere.test/", problems.CodeUnexpectedResponse},
		"longer host":         {http.MethodGet, testEndpoint + ".elsewhere.test/", problems.CodeUnexpectedResponse},
		"PUT on another host": {http.MethodPut, "https://elsewhere.test" + schemas.PathPartners + "/" + partner1, problems.CodeUnexpectedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			f := testConnection(t, withToken(goodToken()), testOptions(w))
			ctx := withPermit(t.Context(), permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner1))
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
	err := testConnection(t, withToken(goodToken()), testOptions(w)).write(ctx, once, http.MethodPut, partner1)
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
		if err := conn.write(t.Context(), guard.Permit{}, http.MethodDelete, id); codeOfErr(err) != problems.CodeInvalidPartnerID {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	if len(w.all()) != 0 {
		t.Errorf("sent %v", w.all())
	}
}
