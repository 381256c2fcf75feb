package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/wiretest"
)

// The issuer takes each refresh token once. Two clients of one sign-in refresh at two
// servers in the same moment: one of these asks the issuer, and both clients go on.
func TestOAuthReplicasRenewOneSignInTogether(t *testing.T) {
	t.Parallel()
	withReplica(t, func(s *signingIn, t *testing.T, elsewhere string) {
		browser := s.newBrowser()
		clients := []tokens{s.connectIn(browser, "partner.read"), s.connectIn(browser, "partner.read")}
		at, err := url.Parse(elsewhere)
		check(t, err)
		clients[1].tokenURL = at.JoinPath("../oauth/token").String()
		if clients[0].tokenURL == clients[1].tokenURL {
			t.Fatal("one server")
		}
		for round := range 8 {
			var both sync.WaitGroup
			for i := range clients {
				both.Go(func() {
					if status, body := clients[i].again(t); status != http.StatusOK {
						t.Errorf("round %d, client %d: %d %s", round, i, status, body)
					}
				})
			}
			both.Wait()
		}
		s.people.Disable(true)
		for i := range clients {
			if status, _ := clients[i].again(t); status != http.StatusBadRequest {
				t.Errorf("client %d of a leaver: %d", i, status)
			}
		}
	})
}

// again refreshes the tokens.
func (k *tokens) again(t *testing.T) (int, []byte) {
	response, err := http.PostForm(k.tokenURL, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.Refresh}, "client_id": {k.ClientID}})
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, k)
	}
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, body
}

// A person takes back at one server what a client has while it calls both: no call that
// begins after the answer is let in.
func TestOAuthRevocationHoldsInAStormAtBothServers(t *testing.T) {
	t.Parallel()
	withReplica(t, func(s *signingIn, t *testing.T, elsewhere string) {
		got := s.connect("partner.read")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var storm, running sync.WaitGroup
		var revoked atomic.Bool
		var let, late, refused atomic.Int64
		for i := range 16 {
			running.Add(1)
			storm.Go(func() {
				at, first := []string{s.url, elsewhere}[i%2], true
				for ctx.Err() == nil {
					after := revoked.Load()
					answer := s.call(at, got.Access, "list_tenants", wiretest.Object{})
					switch {
					case answer.Status == http.StatusOK && after:
						late.Add(1)
					case answer.Status == http.StatusOK:
						let.Add(1)
					default:
						refused.Add(1)
					}
					if first {
						running.Done()
						first = false
					}
					if after {
						return
					}
				}
			})
		}
		running.Wait()
		answer, err := http.PostForm(got.revokeAt, url.Values{"token": {got.Refresh}, "client_id": {got.ClientID}})
		check(t, err)
		check(t, answer.Body.Close())
		revoked.Store(true)
		storm.Wait()
		if let.Load() < 16 || late.Load() != 0 || refused.Load() < 16 {
			t.Errorf("%d let in before, %d after the revocation, %d refused", let.Load(), late.Load(), refused.Load())
		}
	})
}
