package oauth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
)

func TestRegistrationsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, test := range map[string]struct {
		fields map[string]any
		code   string
	}{
		"unknown host":    {map[string]any{"redirect_uris": []string{"https://evil.example/cb"}}, "invalid_redirect_uri"},
		"one of two":      {map[string]any{"redirect_uris": []string{localRedirect, "https://evil.example/cb"}}, "invalid_redirect_uri"},
		"close to Claude": {map[string]any{"redirect_uris": []string{"https://claude.ai.evil.example/api/mcp/auth_callback"}}, "invalid_redirect_uri"},
		"below Claude":    {map[string]any{"redirect_uris": []string{"https://claude.ai/api/mcp/auth_callback/x"}}, "invalid_redirect_uri"},
		"user":            {map[string]any{"redirect_uris": []string{"https://claude.ai@evil.example/api/mcp/auth_callback"}}, "invalid_redirect_uri"},
		"Copilot, deep":   {map[string]any{"redirect_uris": []string{"https://global.consent.azure-apim.net/redirect/a/b"}}, "invalid_redirect_uri"},
		"Copilot, up":     {map[string]any{"redirect_uris": []string{"https://global.consent.azure-apim.net/redirect/.."}}, "invalid_redirect_uri"},
		"Copilot, query":  {map[string]any{"redirect_uris": []string{"https://global.consent.azure-apim.net/redirect/a?b"}}, "invalid_redirect_uri"},
		"script":          {map[string]any{"redirect_uris": []string{"javascript:alert(1)"}}, "invalid_redirect_uri"},
		"other program":   {map[string]any{"redirect_uris": []string{"evil://anysphere.cursor-mcp/oauth/callback"}}, "invalid_redirect_uri"},
		"none":            {map[string]any{"redirect_uris": []string{}}, "invalid_redirect_uri"},
		"21":              {map[string]any{"redirect_uris": strings.Split(strings.Repeat(localRedirect+" ", 20)+localRedirect, " ")}, "invalid_redirect_uri"},
		"no list":         {map[string]any{"redirect_uris": localRedirect}, "invalid_client_metadata"},
		"a key":           {map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"},
		"implicit":        {map[string]any{"response_types": []string{"token"}}, "invalid_client_metadata"},
		"machine":         {map[string]any{"grant_types": []string{"client_credentials"}}, "invalid_client_metadata"},
		"long":            {map[string]any{"x": strings.Repeat("x", maxBody)}, "invalid_client_metadata"},
	} {
		if answer := s.register(test.fields); answer.status != http.StatusBadRequest || answer.text("error") != test.code {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
		s.clock.Advance(time.Minute)
	}
	for _, redirects := range [][]string{
		{"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"}, {"http://localhost:3118/callback"}, {"http://127.0.0.1:33418/", "https://vscode.dev/redirect"},
		{"http://localhost:8787/callback", "cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback"}, {"http://[::1]:1/x"}, {"http://127.0.0.1:6274/oauth/callback/debug"},
		{"https://global.consent.azure-apim.net/redirect/mcp-5f2b41c9-partner"},
	} {
		if control := s.register(map[string]any{"redirect_uris": redirects}); control.status != http.StatusCreated {
			t.Error("a known client is refused:", redirects, control.body)
		}
	}
}

func TestRegistrationCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Registration = false })
	if answer := s.register(nil); answer.status != http.StatusNotFound {
		t.Error(answer.status)
	}
	if strings.Contains(s.browser().get(MetadataPath).body, "registration_endpoint") {
		t.Error("the metadata offer it")
	}
	client, secret, err := Clients{s.store, s.clock.Now, "account:op"}.Add(t.Context(), "Own client", []string{"https://own.example/cb"}, true)
	if err != nil || secret == "" {
		t.Fatal(err)
	}
	code := s.browser().consent("entra:t:alice", s.request(client.ID, "redirect_uri", "https://own.example/cb")).Get("code")
	s.mustWork(s.exchange(client.ID, code, "redirect_uri", "https://own.example/cb", "client_secret", secret).text("access_token"))
}

// A flood of registrations is held back, fills neither the record nor the room, and
// takes no client away that is in use.
func TestFloodOfRegistrationsIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	used, tokens := s.connect("entra:t:alice")
	refused := 0
	for range 100 {
		if answer := s.register(nil); answer.status == http.StatusTooManyRequests && answer.header.Get("Retry-After") != "" {
			refused++
		}
	}
	if refused != 81 || len(s.entries("registered mpc_")) != 1 {
		t.Errorf("%d refused, %d entries", refused, len(s.entries("registered mpc_")))
	}
	if err := s.store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
		for i := range maxRegistered {
			one := Client{ID: fmt.Sprint("mpc_", i), Kind: ByRegistration, Redirects: []string{localRedirect}, Method: authNone, AddedAt: s.clock.Now().Add(time.Duration(i)), Expires: guard.Stamp{Time: s.clock.Now().Add(unusedFor)}}
			if err := tx.Put(guard.ClientState, one.ID, one); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Hour)
	fresh := s.register(nil)
	if fresh.status != http.StatusCreated {
		t.Fatal(fresh.body)
	}
	for id, known := range map[string]bool{used: true, fresh.text("client_id"): true, "mpc_999": true} {
		if page := s.browser().get("/oauth/authorize?" + s.request(id).Encode()); (page.status == http.StatusOK) != known {
			t.Errorf("%s: %s", id, page.body)
		}
	}
	s.mustWork(s.refresh(used, tokens.text("refresh_token")).text("access_token"))
}

func TestUnusedRegistrationExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	unused := s.clientID()
	used, _ := s.connect("entra:t:alice")
	known := func(id string) bool {
		return s.browser().get("/oauth/authorize?"+s.request(id).Encode()).status == http.StatusOK
	}
	if !known(unused) || !known(used) {
		t.Error("they are not known at first")
	}
	s.clock.Advance(unusedFor + time.Second)
	if known(unused) || !known(used) {
		t.Error("after a day the one that is used has to be known, and the other not")
	}
	if answer := s.exchange(unused, "x"); answer.status != http.StatusUnauthorized || answer.text("error") != errClient {
		t.Error(answer.body)
	}
	s.clock.Advance(idleFor)
	if known(used) {
		t.Error("it is known 90 days after its last use")
	}
	if s.register(nil); true {
		left := 0
		if err := s.store.States(t.Context(), guard.ClientState, func([]byte) error { left++; return nil }); err != nil || left != 1 {
			t.Error("expired registrations are kept:", left, err)
		}
	}
}

func TestFloodOfRequestsIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	query := s.request(s.clientID()).Encode()
	codes := map[int]int{}
	for range 60 {
		codes[s.browser().get("/oauth/authorize?"+query).status]++
	}
	for range 300 {
		codes[s.refresh("mpc_x", "x").status]++
	}
	for range 20 {
		codes[s.browser().post("/oauth/revoke", url.Values{"client_id": {"mpc_x"}, "token": {"x"}}).status]++
	}
	if codes[http.StatusOK] != 30 || codes[http.StatusUnauthorized] != 300 || codes[http.StatusTooManyRequests] != 50 {
		t.Error(codes)
	}
	s.clock.Advance(time.Minute)
	for range 31 {
		s.browser().get("/oauth/authorize?" + query)
	}
	if got := s.entries("held back 127.0.0.1"); len(got) != 2 || !strings.Contains(got[1], "(and 49 more since the last entry)") || len(s.store.Events()) != 3 {
		t.Errorf("%d entries, %q", len(s.store.Events()), got)
	}
}

// What one client does takes nothing from another at the same address.
func TestFloodOfAClientIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	loud, tokens := s.connect("entra:t:alice")
	quiet, others := s.connect("entra:t:bob")
	for i := range 350 {
		s.clock.Advance(time.Millisecond)
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {loud}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = fmt.Sprintf("198.51.100.%d:9", i%200)
		s.server.ServeHTTP(httptest.NewRecorder(), r)
	}
	if answer := s.refresh(loud, tokens.text("refresh_token")); answer.status != http.StatusTooManyRequests {
		t.Error(answer.status, answer.body)
	}
	s.mustWork(s.refresh(quiet, others.text("refresh_token")).text("access_token"))
	s.clock.Advance(time.Second)
	s.mustWork(s.refresh(loud, tokens.text("refresh_token")).text("access_token"))
}

// A denial before anybody signed in has nobody to name, and is counted.
func TestDenialBeforeSignInIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	query := "/oauth/authorize?" + s.request(s.clientID()).Encode()
	for range 3 {
		b := s.browser()
		if answer := b.press(b.get(query), b.get(query).form("deny")); answer.location().Query().Get("error") != errDenied {
			t.Error(answer)
		}
	}
	s.clock.Advance(time.Minute)
	b := s.browser()
	page := b.get(query)
	b.press(page, page.form("deny"))
	got := s.entries("by somebody at 127.0.0.1 who had not signed in")
	if len(got) != 2 || !strings.HasSuffix(got[1], "(and 2 more since the last entry)") {
		t.Errorf("%q", got)
	}
}

func TestClientsAreAddedListedAndRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	clients := Clients{s.store, s.clock.Now, "account:op"}
	for name, test := range map[string]struct {
		name      string
		redirects []string
	}{
		"no name": {"", []string{localRedirect}}, "two lines": {"a\nb", []string{localRedirect}}, "no redirect": {"a", nil}, "http": {"a", []string{"http://own.example/"}}, "user": {"a", []string{"https://u@own.example/"}},
	} {
		if _, _, err := clients.Add(t.Context(), test.name, test.redirects, false); err == nil {
			t.Error(name)
		}
	}
	added, secret, err := clients.Add(t.Context(), "Own", []string{"https://own.example/cb"}, false)
	if err != nil || secret != "" {
		t.Fatal(err)
	}
	if all, err := clients.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != added.ID {
		t.Error(all, err)
	}
	if err := clients.Remove(t.Context(), added.ID); err != nil {
		t.Error(err)
	}
	if err := clients.Remove(t.Context(), added.ID); err == nil {
		t.Error("removed twice")
	}
	if len(s.entries("added "+added.ID)) != 1 || len(s.entries("removed "+added.ID)) != 1 {
		t.Error(s.store.Events())
	}
}
