package armclient

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"mcp-partner/guard"
	"mcp-partner/schemas/answers"
)

// drawReply draws any kind of answer; clean is whether it is the one that may
// be called not_linked.
func drawReply(rt *rapid.T) (r reply, clean bool) {
	kind := rapid.SampledFrom([]string{"link", "link", "tombstone", "clean", "clean", "status", "coded", "html", "broken", "cut", "challenge", "empty", "redirect", "throttled", "hang"}).Draw(rt, "kind")
	id := rapid.SampledFrom([]string{partner1, partner2, "9999"}).Draw(rt, "partner")
	rise := rapid.Int64Range(0, 6).Draw(rt, "version")
	code := rapid.SampledFrom([]int{200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 410, 429, 500, 502, 503, 504}).Draw(rt, "status")
	word := rapid.SampledFrom([]string{"NotFound", "Conflict", "BadRequest", "InvalidResourceType", "ResourceNotFound", "Odd", ""}).Draw(rt, "code")
	switch kind {
	case "link":
		return active(id, rise), false
	case "tombstone":
		return deleted(id, rise), false
	case "clean":
		return notFound(), true
	case "coded":
		return coded(code, word), code == 404 && word == "NotFound"
	case "html":
		return html(code), false
	case "broken":
		return broken(), false
	case "cut":
		return reply{status: code, body: notFoundBody, cut: true}, false
	case "challenge":
		return status(401).with("WWW-Authenticate", challenge), false
	case "empty":
		return reply{status: code}, false
	case "redirect":
		return reply{status: 307, header: map[string]string{"Location": testEndpoint + "/x"}}, false
	case "throttled":
		return status(429).with("Retry-After", "1"), false
	case "hang":
		return reply{hang: true}, false
	default:
		return status(code), false
	}
}

// scripted answers with a drawn reply each time, and remembers whether the last
// one sent was the clean 404.
type scripted struct {
	rt *rapid.T

	mu     sync.Mutex
	clean  bool
	writes int
}

func (s *scripted) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	answer, clean := drawReply(s.rt)
	s.clean = clean
	if r.Method != http.MethodGet {
		s.writes++
	}
	s.mu.Unlock()
	return (&wire{replies: []reply{answer}}).Do(r)
}

// For any sequence of answers and tokens: each request that is no GET has its
// own spend of a permit, and nothing but the clean 404 is ever not_linked.
func TestAnySequenceSpendsOnePermitPerWrite(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		synctestRapid(t, func(t *testing.T) { anySequence(t, rt) })
	})
}

// synctestRapid runs in a bubble on rapid's own goroutine, so that its failures
// unwind through rapid.
func synctestRapid(t *testing.T, run func(t *testing.T)) {
	var failure any
	t.Run("", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			defer func() { failure = recover() }()
			run(t)
		})
	})
	if failure != nil {
		panic(failure)
	}
}

func anySequence(t *testing.T, rt *rapid.T) {
	transport := &scripted{rt: rt}
	tokens := rapid.SliceOfN(rapid.SampledFrom([]string{goodToken(), goodToken(), goodToken(), tokenFor(otherID, objectID), tokenFor(tenantID, otherID), "opaque"}), 1, 3).Draw(rt, "tokens")
	o := testOptions(transport)
	c := newClient(t, withToken(tokens...), o)
	uses := 0
	for range rapid.IntRange(1, 6).Draw(rt, "calls") {
		uses += anyCall(t, rt, c, transport)
		if transport.writes > uses {
			rt.Fatalf("%d writes sent, %d spends possible", transport.writes, uses)
		}
	}
}

// anyCall returns how often its permit could have been spent.
func anyCall(t *testing.T, rt *rapid.T, c *Client, transport *scripted) int {
	judge := func(read LinkRead) {
		checkRead(t, read)
		if read.Link.State == answers.LinkNotLinked && !transport.clean {
			rt.Fatalf("not_linked without the clean 404: %+v", read)
		}
	}
	switch rapid.SampledFrom([]string{"link", "partner", "apply", "apply", "none"}).Draw(rt, "call") {
	case "link":
		judge(c.Link(t.Context()))
		return 0
	case "partner":
		read, matches := c.Partner(t.Context(), partner1)
		judge(read)
		if (matches == nil) != (read.Link.State == answers.LinkUnknown) {
			rt.Fatalf("matches %v for %s", matches, read.Link.State)
		}
		return 0
	case "none":
		change := anyChange(rt)
		before := transport.writes
		if got := c.Apply(t.Context(), guard.Permit{}, change); got.Applied != AppliedNo || transport.writes != before {
			rt.Fatalf("without a permit: %+v", got)
		}
		return 0
	default:
		return anyApply(t, rt, c, transport, judge)
	}
}

func anyApply(t *testing.T, rt *rapid.T, c *Client, transport *scripted, judge func(LinkRead)) int {
	change := anyChange(rt)
	once := permit(t, change)
	before := transport.writes
	got := c.Apply(t.Context(), once, change)
	sent := transport.writes - before
	judge(got.After)
	switch {
	case sent > 2 || sent > 0 != once.Spent():
		rt.Fatalf("%d writes for one permit, spent %v", sent, once.Spent())
	case sent == 0 && got.Applied != AppliedNo:
		rt.Fatalf("nothing was sent: %+v", got)
	case got.Applied == AppliedYes && got.Problem == nil && !change.reached(got.After.Link):
		rt.Fatalf("applied, but %+v", got.After.Link)
	case got.Applied != AppliedYes && got.Problem == nil:
		rt.Fatalf("%s without a problem", got.Applied)
	case got.After.Link.State == answers.LinkUnknown && got.Applied == AppliedYes:
		rt.Fatalf("applied without having been read back: %+v", got)
	}
	if again := c.Apply(t.Context(), once, change); sent > 0 && transport.writes > before+2 {
		rt.Fatalf("a permit was used again: %+v", again)
	}
	return 2
}

func anyChange(rt *rapid.T) Change {
	before := rapid.SampledFrom([]answers.Link{absent(), tombstone(2), linkedTo(partner1, 3), linkedTo(partner2, 3)}).Draw(rt, "before")
	kind := rapid.SampledFrom([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}).Draw(rt, "kind of change")
	return Change{kind, partner1, before}
}
