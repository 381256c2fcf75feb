package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/wiretest"
)

const (
	everywhere = `
callers:
  grants:
    - {name: nightly, issuer: ISSUER, subject: sub-of-nightly, tenants: ["*"]}
`
	elsewhere = `
callers:
  grants:
    - {name: another, issuer: ISSUER, subject: sub-of-another, tenants: ["*"]}
`
)

// What is taken from a caller while a run goes on stops the tenants that have not
// begun, in the process that runs it and without a restart; those that have begun
// are finished. All tenants that can be written to at once are held until then.
func TestRunStopsWhenCallerLosesRights(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token func(*oauthServer) string
		take  func(*oauthServer)
		code  string
	}{
		"the mapping changes": {
			token: func(h *oauthServer) string {
				return h.machine("nightly", issuertest.Claims{"roles": []string{"partner.read", "partner.write"}})
			},
			take: func(h *oauthServer) { h.remap(elsewhere) }, code: "unknown_tenant",
		},
		"the invocation token is revoked": {
			token: func(h *oauthServer) string {
				i := h.cli("token", "issue", "--for", "nightly", "--scope", "partner.read,partner.write", "--tenants", "*", "--json")
				var shown struct{ Token string }
				if err := json.Unmarshal([]byte(i.must(h.tb).stdout), &shown); err != nil {
					h.tb.Fatal(err)
				}
				return shown.Token
			},
			take: func(h *oauthServer) { h.cli("token", "revoke", "--for", "nightly").must(h.tb) }, code: "token_refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const late = 3
			c := newCrowd(t, fleet.WriteConcurrency+late)
			h := (&oauthServer{world: c.world, issuer: issuertest.Start(t)}).serve(t, nil, everywhere, nil, "--approval", "none", "--partner-ids", ourID)
			var held []*hold
			for range fleet.WriteConcurrency {
				held = append(held, c.gate.hold(http.MethodPut, false))
			}
			answered := make(chan wiretest.Answer, 1)
			token := test.token(h)
			go func() {
				answered <- h.call(token, wiretest.Modern, "ensure_partner_links", wiretest.Object{"partner_id": ourID})
			}()
			for _, hold := range held {
				hold.await(t)
			}
			test.take(h)
			for _, hold := range held {
				hold.release <- true
			}
			answer := <-answered
			if c.gate.written() != fleet.WriteConcurrency {
				t.Errorf("%d writes, want %d", c.gate.written(), fleet.WriteConcurrency)
			}
			if got := strings.Count(string(answer.Body), fmt.Sprintf(`"problem":"%s"`, test.code)); got != late {
				t.Errorf("%d rows wait for %s, want %d: %.500s", got, test.code, late, answer.Body)
			}
		})
	}
}
