package oauth

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

// What a token gives follows the person, the consent and the audience at each call.
func TestAccessTokenFollowsThePerson(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, client string, token string){
		"person removed": func(s *site, _, _ string) { s.people.set(func(p *persons) { delete(p.grants, "entra:t:alice") }) },
		"grant removed": func(s *site, _, _ string) {
			s.people.set(func(p *persons) { p.grants["entra:t:alice"] = p.grants["none"] })
		},
		"scopes lost": func(s *site, _, _ string) {
			s.people.set(func(p *persons) {
				grant := p.grants["entra:t:alice"]
				grant.Scopes = nil
				p.grants["entra:t:alice"] = grant
			})
		},
		"client removed": func(s *site, client, _ string) {
			if err := (Clients{s.store, s.clock.Now, "account:op"}).Remove(s.Context(), client); err != nil {
				s.Error(err)
			}
		},
		"revoked by the client": func(s *site, client, token string) {
			s.browser().post("/oauth/revoke", url.Values{"client_id": {client}, "token": {token}})
		},
		"revoked by the person": func(s *site, _, _ string) {
			all, err := s.server.Families(s.Context(), "entra:t:alice")
			if err != nil || len(all) != 1 || s.server.EndFamily(s.Context(), "entra:t:alice", all[0].ID) != nil {
				s.Error(err, all)
			}
		},
		"server of another name": func(s *site, _, _ string) { s.server.resource = "https://other.example/mcp" },
		"twelve hours":           func(s *site, _, _ string) { s.clock.Advance(12 * time.Hour) },
	} {
		s := newSite(t)
		client, tokens := s.connect("entra:t:alice")
		p := s.mustWork(tokens.text("access_token"))
		if grant, err := p.Revalidate(); err != nil || len(grant.Scopes) != 2 {
			t.Error(err)
		}
		change(s, client, tokens.text("access_token"))
		s.mustFail(tokens.text("access_token"))
		if _, err := p.Revalidate(); problems.As(err).Code != problems.CodeTokenRefused {
			t.Errorf("%s: a call that is under way goes on: %v", name, err)
		}
		if again := s.refresh(client, tokens.text("refresh_token")); again.status/100 != 4 {
			t.Errorf("%s: refreshed: %s", name, again.body)
		}
	}
}

// A token that somebody put into the record for another server is not taken.
func TestTokenOfAnotherAudienceIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.connect("entra:t:alice")
	all, err := s.server.Families(t.Context(), "entra:t:alice")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	grant := s.people.grants["entra:t:alice"]
	for audience, good := range map[string]bool{s.url + "/mcp": true, "https://other.example/mcp": false, "": false} {
		secret, token := guard.NewAccessToken("entra:t:alice", all[0].ID, audience, grant, s.clock.Now(), s.clock.Now().Add(time.Minute))
		if err := s.store.ChangeStates(t.Context(), func(tx guard.StateTx) error { return tx.Put(guard.TokenState, token.ID, token) }); err != nil {
			t.Fatal(err)
		}
		if good {
			s.mustWork(secret)
		} else {
			s.mustFail(secret)
		}
	}
	secret, token := guard.NewAccessToken("entra:t:bob", all[0].ID, s.url+"/mcp", grant, s.clock.Now(), s.clock.Now().Add(time.Minute))
	if err := s.store.ChangeStates(t.Context(), func(tx guard.StateTx) error { return tx.Put(guard.TokenState, token.ID, token) }); err != nil {
		t.Fatal(err)
	}
	s.mustFail(secret) // the consent is another person's
}

// Neither a handle of this server nor a cookie is a bearer, but access tokens.
func TestOnlyAccessTokensAreBearers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	code := b.consent("entra:t:alice", s.request(client)).Get("code")
	tokens := s.exchange(client, code)
	at, _ := url.Parse(s.url)
	for _, bearer := range []string{code, tokens.text("refresh_token"), client, b.client.Jar.Cookies(at)[0].Value, ""} {
		s.mustFail(bearer)
	}
	s.mustWork(tokens.text("access_token"))
}

// Two people with two clients and two tenants: nobody sees, ends or uses the other's.
func TestPeopleAndClientsAreApart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, alice := s.connect("entra:t:alice")
	two, bob := s.connect("entra:t:bob")
	a, b := s.mustWork(alice.text("access_token")), s.mustWork(bob.text("access_token"))
	if a.Caller == b.Caller || a.Grant.AllowsTenant("fabrikam") || b.Grant.AllowsTenant("contoso-1") {
		t.Error(a, b)
	}
	if answer := s.refresh(two, alice.text("refresh_token")); answer.text("error") != errGrant {
		t.Error(answer.body)
	}
	s.browser().post("/oauth/revoke", url.Values{"client_id": {two}, "token": {alice.text("access_token")}})
	s.browser().post("/oauth/revoke", url.Values{"client_id": {two}, "token": {alice.text("refresh_token")}})
	mine, err := s.server.Families(t.Context(), "entra:t:alice")
	if err != nil || len(mine) != 1 || mine[0].ID == "" {
		t.Error(mine, err)
	}
	if err := s.server.EndFamily(t.Context(), "entra:t:bob", mine[0].ID); err != nil {
		t.Error(err)
	}
	s.mustWork(alice.text("access_token"))
	s.mustWork(s.refresh(one, alice.text("refresh_token")).text("access_token"))
	s.browser().post("/oauth/revoke", url.Values{"client_id": {one}, "token": {alice.text("access_token")}})
	s.mustFail(alice.text("access_token"))
	s.mustWork(bob.text("access_token"))
}

func TestLeaverIsOutAtRefresh(t *testing.T) {
	t.Parallel()
	out := func(users.Person) (users.Person, []byte, error) {
		return users.Person{}, nil, problems.New(problems.CodeTokenRefused, "disabled")
	}
	for name, test := range map[string]struct {
		renew func(users.Person) (users.Person, []byte, error)
		ends  bool
	}{
		"disabled": {out, true},
		"another person": {func(users.Person) (users.Person, []byte, error) {
			return users.Person{Caller: "entra:t:bob"}, nil, nil
		}, true},
		"unreachable": {func(users.Person) (users.Person, []byte, error) {
			return users.Person{}, nil, problems.New(problems.CodeSignInUnavailable, "no answer")
		}, false},
	} {
		s := newSite(t)
		client, tokens := s.connect("entra:t:alice")
		s.people.set(func(p *persons) { p.renew = test.renew })
		answer := s.refresh(client, tokens.text("refresh_token"))
		if answer.text("access_token") != "" || (answer.text("error") == errGrant) != test.ends || (answer.status == http.StatusServiceUnavailable) == test.ends {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
		s.people.set(func(p *persons) { p.renew = nil })
		again := s.refresh(client, tokens.text("refresh_token"))
		if (again.text("access_token") == "") != test.ends {
			t.Errorf("%s: afterwards %s", name, again.body)
		}
		if test.ends {
			s.mustFail(tokens.text("access_token"))
		}
	}
}

// A code that somebody holds back is worth nothing after the person signed out, or the
// client was removed.
func TestSignOutVoidsCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.set(func(p *persons) { p.grants["user:anna"] = p.grants["entra:t:alice"] })
	if _, err := s.guard.InviteUser(t.Context(), guard.User{Name: "anna"}, guard.Credentials{}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		caller access.Caller
		end    func(client string) error
		want   int
	}{
		"nothing":                 {"entra:t:alice", func(string) error { return nil }, http.StatusOK},
		"somebody else signs out": {"entra:t:alice", func(string) error { return s.guard.SignOutUser(t.Context(), "entra:t:bob", "") }, http.StatusOK},
		"person of an issuer":     {"entra:t:alice", func(string) error { return s.guard.SignOutUser(t.Context(), "entra:t:alice", "") }, http.StatusBadRequest},
		"user of this server":     {"user:anna", func(string) error { return s.guard.SignOutUser(t.Context(), "anna", "") }, http.StatusBadRequest},
		"client is removed": {"entra:t:alice", func(client string) error {
			return Clients{Store: s.store, Now: s.clock.Now, By: "terminal"}.Remove(t.Context(), client)
		}, http.StatusUnauthorized},
	} {
		client := s.clientID()
		code := s.browser().consent(test.caller, s.request(client)).Get("code")
		if err := test.end(client); err != nil {
			t.Fatal(name, err)
		}
		before := len(s.entries("issued tokens"))
		if answer := s.exchange(client, code); answer.status != test.want || len(s.entries("issued tokens")) != before+map[bool]int{true: 1}[test.want == http.StatusOK] {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
}
