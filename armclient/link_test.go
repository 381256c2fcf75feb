package armclient

import (
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

func TestPartner(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, test := range map[string]struct {
		replies []reply
		state   answers.LinkState
		code    problems.Code
		matches *bool
		sent    int
	}{
		"the one asked for":      {replies: []reply{active(partner1, 1)}, state: answers.LinkLinked, matches: &yes, sent: 1},
		"another in the body":    {replies: []reply{active(partner2, 1)}, state: answers.LinkLinked, matches: &no, sent: 1},
		"deleted":                {replies: []reply{deleted(partner1, 2)}, state: answers.LinkDeleted, matches: &no, sent: 1},
		"404, then another":      {replies: []reply{notFound(), active(partner2, 1)}, state: answers.LinkLinked, matches: &no, sent: 2},
		"404, then the same":     {replies: []reply{notFound(), active(partner1, 1)}, state: answers.LinkLinked, matches: &yes, sent: 2},
		"404, then none":         {replies: []reply{notFound(), notFound()}, state: answers.LinkNotLinked, matches: &no, sent: 2},
		"404, then a tombstone":  {replies: []reply{notFound(), deleted(partner1, 2)}, state: answers.LinkDeleted, matches: &no, sent: 2},
		"html 404, then another": {replies: []reply{html(404), active(partner2, 1)}, state: answers.LinkLinked, matches: &no, sent: 2},
		"404, then 500": {
			replies: []reply{notFound(), coded(500, "X")}, state: answers.LinkUnknown, code: problems.CodeARMUnavailable, sent: 4,
		},
		"empty 404 twice": {replies: []reply{{status: 404}}, state: answers.LinkUnknown, code: problems.CodeUnexpectedResponse, sent: 2},
		"namespace 404 twice": {
			replies: []reply{coded(404, "InvalidResourceType")}, state: answers.LinkUnknown, code: problems.CodeProviderUnavailable, sent: 2,
		},
		"bad request": {replies: []reply{coded(400, "BadRequest")}, state: answers.LinkUnknown, code: problems.CodeBadRequest, sent: 1},
		"forbidden is not decided": {
			replies: []reply{coded(403, "X"), active(partner1, 1)}, state: answers.LinkUnknown, code: problems.CodeForbidden, sent: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(test.replies...)
			read, matches := testClient(t, w).Partner(t.Context(), partner1)
			if read.Link.State != test.state || codeOfProblem(read.Problem) != test.code || len(w.all()) != test.sent {
				t.Errorf("%+v, %+v, sent %v", read.Link, read.Problem, w.all())
			}
			if (matches == nil) != (test.matches == nil) || matches != nil && *matches != *test.matches {
				t.Errorf("matches %v, want %v", matches, test.matches)
			}
		})
	}
}

func TestPartnerRefusesAMalformedID(t *testing.T) {
	t.Parallel()
	w := replying(notFound())
	read, matches := testClient(t, w).Partner(t.Context(), "12")
	if codeOfProblem(read.Problem) != problems.CodeInvalidPartnerID || matches != nil || len(w.all()) != 0 {
		t.Errorf("%+v", read)
	}
}

func TestIdentityComesFromTheToken(t *testing.T) {
	t.Parallel()
	want := answers.Identity{TenantID: tenantID, Tenant: "contoso", ObjectID: objectID, Cloud: "public", Credential: "default"}
	if read := testClient(t, replying(notFound())).Link(t.Context()); read.Identity != want || !read.TokenReadable {
		t.Errorf("%+v", read)
	}
	read := newClient(t, withToken("opaque"), testOptions(replying(active(partner1, 1)))).Link(t.Context())
	if read.Identity != want || read.TokenReadable {
		t.Errorf("from the body: %+v", read)
	}
	read = newClient(t, withToken(tokenFor(otherID, objectID)), testOptions(replying(notFound()))).Link(t.Context())
	if read.Identity.TenantID != otherID || read.Link.Reason != problems.CodeWrongTenant {
		t.Errorf("wrong tenant: %+v", read)
	}
}

// The identity shown is the token's, its tenant name the one asked for: the
// message says which is which.
func TestWrongTenantNamesBoth(t *testing.T) {
	t.Parallel()
	foreignBody := ok(strings.ReplaceAll(linkBody(partner1, 1, "Active"), tenantID, otherID))
	for name, read := range map[string]LinkRead{
		"token":  newClient(t, withToken(tokenFor(otherID, objectID)), testOptions(replying(notFound()))).Link(t.Context()),
		"answer": testClient(t, replying(foreignBody)).Link(t.Context()),
	} {
		if read.Problem == nil || read.Problem.Code != problems.CodeWrongTenant {
			t.Fatalf("%s: %+v", name, read)
		}
		for _, want := range []string{"tenant " + otherID, "tenant contoso (" + tenantID + ")"} {
			if !strings.Contains(read.Problem.Message, want) {
				t.Errorf("%s: %q lacks %q", name, read.Problem.Message, want)
			}
		}
	}
}

func TestOpaqueTokenOfUnpinnedIdentityIsRefused(t *testing.T) {
	t.Parallel()
	o := testOptions(replying(active(partner1, 1)))
	o.PinnedObjectID = otherID
	read := newClient(t, withToken("opaque"), o).Link(t.Context())
	if read.Link.State != answers.LinkUnknown || read.Link.Reason != problems.CodeWrongIdentity {
		t.Errorf("%+v", read)
	}
}

// A problem may be shared by many callers: the credential's cache hands out the
// same one. IDs of one call must not be written into it.
func TestSharedProblemsAreNotChanged(t *testing.T) {
	t.Parallel()
	shared := problems.New(problems.CodeCredentialExpired, "x")
	var answer *problems.Problem
	cred := &expiring{first: goodToken(), then: shared}
	w := replying(status(401).with("WWW-Authenticate", challenge))
	c := newClient(t, cred, testOptions(w))
	answer = c.Link(t.Context()).Problem
	if codeOfProblem(answer) != problems.CodeCredentialExpired || answer.ARMRequestID != testRequestID || shared.ARMRequestID != "" {
		t.Errorf("%+v, shared %+v", answer, shared)
	}
}

// One client serves many calls at once; what the gate notes of one must not
// show in another.
func TestConcurrentCallsKeepTheirOwnRecords(t *testing.T) {
	t.Parallel()
	transport := transportFunc(func(r *http.Request) (*http.Response, error) {
		id := path.Base(r.URL.Path)
		return active(id, 1).with("x-ms-request-id", "request-of-"+id).response(r), nil
	})
	c := newClient(t, withToken(goodToken()), testOptions(transport))
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			id := strconv.Itoa(10000 + i)
			read, matches := c.Partner(t.Context(), partnerid.ID(id))
			if matches == nil || !*matches || read.RequestID != "request-of-"+id || read.Identity.ObjectID != objectID {
				t.Errorf("%s: %+v", id, read)
			}
		})
	}
	all.Wait()
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"tenant":           func(o *Options) { o.TenantID = "contoso" },
		"pinned":           func(o *Options) { o.PinnedObjectID = "me" },
		"audience":         func(o *Options) { o.Audience = "" },
		"no endpoint":      func(o *Options) { o.Endpoint = "" },
		"http":             func(o *Options) { o.Endpoint = "http://management.test" },
		"user":             func(o *Options) { o.Endpoint = "https://u:p@management.test" },
		"query":            func(o *Options) { o.Endpoint = "https://management.test?x=1" },
		"no URL":           func(o *Options) { o.Endpoint = "https://%zz" },
		"host alone":       func(o *Options) { o.Endpoint = "management.test" },
		"fragment":         func(o *Options) { o.Endpoint = "https://management.test#x" },
		"scheme and slash": func(o *Options) { o.Endpoint = "https://" },
	} {
		o := testOptions(replying(notFound()))
		change(&o)
		if _, err := New(withToken(goodToken()), o); codeOfErr(err) != problems.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(nil, testOptions(replying())); codeOfErr(err) != problems.CodeInternal {
		t.Errorf("no credential: %v", err)
	}
	var problem *problems.Problem
	if _, err := New(withToken("x"), Options{}); !errors.As(err, &problem) {
		t.Errorf("%v", err)
	}
}

func TestEndpointWithAPath(t *testing.T) {
	t.Parallel()
	w := replying(active(partner1, 1))
	o := testOptions(w)
	o.Endpoint += "/stand-in/"
	change := Change{http.MethodPut, partner1, absent()}
	if got := newClient(t, withToken(goodToken()), o).Apply(t.Context(), permit(t, change), change); got.Applied != AppliedYes {
		t.Errorf("%+v", got.Problem)
	}
	if got := w.all()[0].url; got != testEndpoint+"/stand-in"+schemas.PathPartners+"/"+partner1+"?api-version=2018-02-01" {
		t.Error(got)
	}
}
