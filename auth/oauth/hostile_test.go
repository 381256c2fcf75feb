package oauth

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/page"
)

// Nothing wrong with the client or its redirect URI sends a browser anywhere.
func TestRequestThatNamesNoRedirectOfTheClientStaysHere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	control := func(text string) {
		t.Helper()
		if page := b.get("/oauth/authorize?" + text); page.status != http.StatusOK || !strings.Contains(page.body, "Sign in") {
			t.Fatal("the control fails:", page.body)
		}
	}
	base := s.request(client)
	control(base.Encode())
	control(with(base, "redirect_uri", "http://127.0.0.1:50001/callback").Encode())
	queries := map[string]string{
		"two redirect URIs": base.Encode() + "&redirect_uri=" + url.QueryEscape("https://evil.example/"), "two clients": base.Encode() + "&client_id=x",
		"two states": base.Encode() + "&state=2", "two challenges": base.Encode() + "&code_challenge=" + challengeOf("x"), "two resources": base.Encode() + "&resource=" + s.url,
		"bad escape": base.Encode() + "&x=%zz", "semicolon": base.Encode() + ";redirect_uri=x", "too long": base.Encode() + "&x=" + strings.Repeat("a", maxBody),
		"one too long": with(base, "nonce", strings.Repeat("a", maxURI+1)).Encode(),
		"no client":    with(base, "client_id", "-").Encode(), "unknown client": with(base, "client_id", "mpc_unknown").Encode(), "client of a table": with(base, "client_id", "../user/alice").Encode(),
	}
	for name, uri := range map[string]string{
		"another host": "https://evil.example/callback", "another path": "http://127.0.0.1:33418/other", "longer path": localRedirect + "/", "a name in place of the address": "http://localhost:33418/callback",
		"a name that begins so": "http://127.0.0.1.evil.example:33418/callback", "short form": "http://127.1:33418/callback", "hexadecimal": "http://0x7f000001:33418/callback",
		"number": "http://2130706433:33418/callback", "mapped": "http://[::ffff:127.0.0.1]:33418/callback", "other loopback": "http://127.0.0.2:33418/callback",
		"user": "http://u@127.0.0.1:33418/callback", "address as user": "http://127.0.0.1@evil.example/callback", "address and port as user": "http://127.0.0.1:33418@evil.example/callback",
		"port 0": "http://127.0.0.1:0/callback", "port 65536": "http://127.0.0.1:65536/callback", "port with a zero": "http://127.0.0.1:033418/callback", "no digits": "http://127.0.0.1:/callback",
		"https": "https://127.0.0.1:33418/callback", "upper case": "HTTP://127.0.0.1:33418/callback", "dots": "http://127.0.0.1:33418/x/../callback", "fragment": localRedirect + "#f",
		"query": localRedirect + "?next=https://evil.example", "backslash": `http://127.0.0.1:33418\@evil.example/callback`, "header": localRedirect + "\r\nSet-Cookie: a=b",
		"space": localRedirect + " ", "script": "javascript:alert(1)//callback", "data": "data:text/html,callback", "none": "-", "dot after the host": "http://127.0.0.1.:33418/callback",
	} {
		queries[name] = with(base, "redirect_uri", uri).Encode()
	}
	for name, query := range queries {
		for _, answer := range []seen{b.get("/oauth/authorize?" + query), postRaw(b, "/oauth/authorize", query)} {
			if answer.status/100 != 4 || answer.header.Get("Location") != "" || strings.Contains(answer.body, "continue") {
				t.Errorf("%s: %d %s", name, answer.status, answer.header.Get("Location"))
			}
		}
		s.clock.Advance(time.Minute) // the limit of requests is another test's
	}
}

func postRaw(b *browser, path, body string) seen {
	r, _ := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// What is wrong beside that is said to the client, with state and issuer, and no code.
func TestRequestThatAsksForSomethingElseIsSentBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	base := s.request(s.clientID())
	for name, test := range map[string]struct {
		pairs []string
		code  string
	}{
		"implicit":               {[]string{"response_type", "token"}, "unsupported_response_type"},
		"hybrid":                 {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"no response type":       {[]string{"response_type", "-"}, "unsupported_response_type"},
		"fragment":               {[]string{"response_mode", "fragment"}, errRequest},
		"form post":              {[]string{"response_mode", "form_post"}, errRequest},
		"request object":         {[]string{"request", "e30."}, "request_not_supported"},
		"request by reference":   {[]string{"request_uri", "https://evil.example/r"}, "request_not_supported"},
		"plain PKCE":             {[]string{"code_challenge_method", "plain"}, errRequest},
		"PKCE of no method":      {[]string{"code_challenge_method", "-"}, errRequest},
		"no PKCE":                {[]string{"code_challenge", "-", "code_challenge_method", "-"}, errRequest},
		"empty challenge":        {[]string{"code_challenge", ""}, errRequest},
		"short challenge":        {[]string{"code_challenge", challengeOf("x")[1:]}, errRequest},
		"padded challenge":       {[]string{"code_challenge", challengeOf("x") + "="}, errRequest},
		"long state":             {[]string{"state", strings.Repeat("s", maxState+1)}, errRequest},
		"another resource":       {[]string{"resource", "https://other.example/mcp"}, errTarget},
		"resource that is close": {[]string{"resource", s.url + "/mcp2"}, errTarget},
		"host alone":             {[]string{"resource", s.url}, errTarget},
		"empty resource":         {[]string{"resource", ""}, errTarget},
	} {
		b := s.browser()
		answer := b.get("/oauth/authorize?" + with(base, test.pairs...).Encode())
		got := answer.location().Query()
		if got.Get("error") != test.code || got.Has("code") || got.Get("iss") != s.url || !strings.HasPrefix(answer.location().String(), localRedirect+"?") || s.people.begun != 0 {
			t.Errorf("%s: %d %s", name, answer.status, answer.header.Get("Location"))
		}
	}
	for _, pairs := range [][]string{{"resource", "-"}, {"resource", s.url + "/mcp/"}, {"response_mode", "query"}, {"state", "-"}} {
		if control := s.browser().get("/oauth/authorize?" + with(base, pairs...).Encode()); control.status != http.StatusOK {
			t.Error("the control fails:", pairs, control.body)
		}
	}
}

func TestCodeIsGoodForItsClientAndVerifierAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.clientID()
	for name, test := range map[string]struct {
		pairs   []string
		headers []string
		wait    time.Duration
	}{
		"another client":           {pairs: []string{"client_id", other}},
		"unknown client":           {pairs: []string{"client_id", "mpc_unknown"}},
		"no client":                {pairs: []string{"client_id", "-"}},
		"a document as client":     {pairs: []string{"client_id", "https://client.example/c.json"}},
		"another redirect URI":     {pairs: []string{"redirect_uri", "http://127.0.0.1:1/callback"}},
		"another verifier":         {pairs: []string{"code_verifier", verifier + "x"}},
		"no verifier":              {pairs: []string{"code_verifier", "-"}},
		"empty verifier":           {pairs: []string{"code_verifier", ""}},
		"challenge as verifier":    {pairs: []string{"code_verifier", challengeOf(verifier)}},
		"another code":             {pairs: []string{"code", verifier}},
		"no code":                  {pairs: []string{"code", "-"}},
		"another resource":         {pairs: []string{"resource", "https://other.example/mcp"}},
		"another grant":            {pairs: []string{"grant_type", "client_credentials"}},
		"code as refresh token":    {pairs: []string{"grant_type", "refresh_token"}},
		"password grant":           {pairs: []string{"grant_type", "password", "username", "a", "password", "b"}},
		"secret of a public one":   {pairs: []string{"client_secret", "x"}},
		"basic of a public one":    {headers: []string{"Authorization", "Basic Y2xpZW50Og=="}},
		"bearer":                   {headers: []string{"Authorization", "Bearer x"}},
		"JSON":                     {headers: []string{"Content-Type", "application/json"}},
		"a minute later":           {wait: time.Minute},
		"session in place of code": {pairs: []string{"code", "-"}, headers: []string{"Cookie", "__Host-session=x"}},
	} {
		s.clock.Advance(2 * time.Minute) // the limit of registrations is another test's
		client := s.clientID()
		code := s.browser().consent("entra:t:alice", s.request(client)).Get("code")
		s.clock.Advance(test.wait)
		form := with(url.Values{"grant_type": {grantCode}, "code": {code}, "client_id": {client}, "redirect_uri": {localRedirect}, "code_verifier": {verifier}}, test.pairs...)
		if answer := s.browser().post("/oauth/token", form, test.headers...); answer.status/100 != 4 || answer.text("error") == "" || strings.Contains(answer.body, "access_token") {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
	s.connect("entra:t:alice") // the control
}

// A code that is shown twice was seen by somebody else: what followed from it ends.
func TestCodeShownTwiceEndsWhatFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	code := s.browser().consent("entra:t:alice", s.request(client)).Get("code")
	tokens := s.exchange(client, code)
	s.mustWork(tokens.text("access_token"))
	if again := s.exchange(client, code); again.text("error") != errGrant {
		t.Error(again.body)
	}
	s.mustFail(tokens.text("access_token"))
	if again := s.refresh(client, tokens.text("refresh_token")); again.text("error") != errGrant {
		t.Error(again.body)
	}
	if len(s.entries("its code was used twice")) != 1 {
		t.Error(s.entries("ended"))
	}
}

// A code that was tried with a wrong verifier is used up.
func TestCodeIsUsedUpByWrongVerifier(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	code := s.browser().consent("entra:t:alice", s.request(client)).Get("code")
	s.exchange(client, code, "code_verifier", verifier+"x")
	if again := s.exchange(client, code); again.text("error") != errGrant {
		t.Error(again.body)
	}
}

func TestConfidentialClientNeedsItsSecretInItsWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, method := range []string{authBasic, authPost} {
		made := s.register(map[string]any{"token_endpoint_auth_method": method})
		id, secret := made.text("client_id"), made.text("client_secret")
		if secret == "" || made.json()["client_secret_expires_at"] != 0.0 {
			t.Fatal(made.body)
		}
		basic := func(id, secret string) []string {
			r, _ := http.NewRequest(http.MethodGet, s.url, nil)
			r.SetBasicAuth(id, secret)
			return []string{"Authorization", r.Header.Get("Authorization")}
		}
		for name, test := range map[string]struct {
			pairs, headers []string
			good           bool
		}{
			"post":           {[]string{"client_secret", secret}, nil, method == authPost},
			"basic":          {nil, basic(id, secret), method == authBasic},
			"none":           {nil, nil, false},
			"wrong post":     {[]string{"client_secret", secret + "x"}, nil, false},
			"wrong basic":    {nil, basic(id, "x"), false},
			"empty":          {[]string{"client_secret", ""}, nil, false},
			"both":           {[]string{"client_secret", secret}, basic(id, secret), false},
			"two names":      {nil, basic("mpc_other", secret), false},
			"the hash of it": {[]string{"client_secret", digest("client", secret)}, nil, false},
		} {
			code := s.browser().consent("entra:t:alice", s.request(id)).Get("code")
			form := with(url.Values{"grant_type": {grantCode}, "code": {code}, "client_id": {id}, "code_verifier": {verifier}}, test.pairs...)
			if answer := s.browser().post("/oauth/token", form, test.headers...); (answer.text("access_token") != "") != test.good {
				t.Errorf("%s, %s: %s", method, name, answer.body)
			}
			s.clock.Advance(time.Minute)
		}
	}
}

// The consent page answers to the browser, the session and the request that it was
// made for, once.
func TestConsentIsOfItsBrowserAndSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	for name, try := range map[string]func(b *browser, shown seen) seen{
		"no form token": func(b *browser, shown seen) seen {
			return b.press(shown, with(shown.form("allow"), "form_token", "-"))
		},
		"another form token": func(b *browser, shown seen) seen {
			return b.press(shown, with(shown.form("allow"), "form_token", "x"))
		},
		"another site": func(b *browser, shown seen) seen {
			return b.press(shown, shown.form("allow"), "Sec-Fetch-Site", "cross-site")
		},
		"another origin": func(b *browser, shown seen) seen {
			return b.press(shown, shown.form("allow"), "Origin", "https://evil.example")
		},
		"sandboxed": func(b *browser, shown seen) seen {
			return b.press(shown, shown.form("allow"), "Origin", "null")
		},
		"a sibling host": func(b *browser, shown seen) seen {
			return b.press(shown, shown.form("allow"), "Sec-Fetch-Site", "same-site")
		},
		"another request": func(b *browser, shown seen) seen {
			return b.post("/oauth/consent?request=x", shown.form("allow"))
		},
		"no request": func(b *browser, shown seen) seen {
			return b.post("/oauth/consent", shown.form("allow"))
		},
		"by GET": func(b *browser, shown seen) seen {
			return b.get(html.UnescapeString(action.FindStringSubmatch(shown.body)[1]) + "&" + shown.form("allow").Encode())
		},
		"eleven minutes later": func(b *browser, shown seen) seen {
			s.clock.Advance(11 * time.Minute)
			return b.press(shown, shown.form("allow"))
		},
		"another browser, signed in as the same": func(_ *browser, shown seen) seen {
			other := s.browser()
			other.signIn("entra:t:alice")
			return other.press(shown, shown.form("allow"))
		},
		"another person meanwhile": func(b *browser, shown seen) seen {
			b.signIn("entra:t:bob")
			return b.press(shown, shown.form("allow"))
		},
		"signed out meanwhile": func(b *browser, shown seen) seen {
			at, _ := url.Parse(s.url)
			b.client.Jar.SetCookies(at, []*http.Cookie{{Name: "__Host-session", Value: page.NewHandle(), Path: "/", Secure: true}})
			return b.press(shown, shown.form("allow"))
		},
		"decision of no button": func(b *browser, shown seen) seen {
			answer := b.press(shown, with(shown.form("allow"), "decision", "yes"))
			if answer.location().Query().Get("error") != errDenied {
				t.Error(answer)
			}
			return answer
		},
	} {
		b := s.browser()
		shown := b.start("entra:t:alice", s.request(client))
		if answer := try(b, shown); answer.location().Query().Has("code") {
			t.Errorf("%s: %s", name, answer.location())
		}
		s.clock.Advance(time.Minute)
	}
	b := s.browser()
	shown := b.start("entra:t:alice", s.request(client))
	if control := b.press(shown, shown.form("allow")); !control.location().Query().Has("code") {
		t.Error("the control fails:", control.body)
	}
	if again := b.press(shown, shown.form("allow")); again.location().Query().Has("code") {
		t.Error("a second answer:", again.location())
	}
}

// The first page is a form of this server too, and what it leads to belongs to the
// browser in which it was pressed.
func TestRequestBelongsToBrowserThatBeganIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	first := b.get("/oauth/authorize?" + s.request(client).Encode())
	for name, answer := range map[string]seen{
		"another browser": s.browser().post("/oauth/continue", first.form("continue")),
		"another site":    b.post("/oauth/continue", first.form("continue"), "Sec-Fetch-Site", "cross-site"),
		"no form token":   b.post("/oauth/continue", with(first.form("continue"), "form_token", "-")),
		"changed request": b.post("/oauth/continue", with(first.form("continue"), "request", s.request(client, "redirect_uri", "https://evil.example/").Encode())),
		"no request":      b.post("/oauth/continue", with(first.form("continue"), "request", "-")),
	} {
		if answer.status/100 != 4 || s.people.begun != 0 {
			t.Errorf("%s: %d %s", name, answer.status, answer.location())
		}
	}
	next := b.post("/oauth/continue", first.form("continue")).location().Query().Get("next")
	thief := s.browser()
	thief.signIn("entra:t:bob")
	if page := thief.get(next); page.status != http.StatusBadRequest {
		t.Error("another browser sees the request:", page.body)
	}
	b.signIn("entra:t:alice")
	if page := b.get(next); page.status != http.StatusOK {
		t.Error("the control fails:", page.body)
	}
}

// A session that is live skips no consent, whether it began for the same client or not.
func TestLiveSessionSkipsNoConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	b.consent("entra:t:alice", s.request(client))
	for range 2 {
		answer := b.get("/oauth/authorize?" + s.request(client).Encode())
		if answer.location().Path != "/oauth/consent" || answer.location().Query().Has("code") {
			t.Fatal(answer.status, answer.location())
		}
		if page := b.get(answer.location().String()); page.status != http.StatusOK || !strings.Contains(page.body, "Allow") || s.people.begun != 1 {
			t.Error(page.body)
		}
	}
}

func TestNothingGoesUpstreamBeforeTheFirstButton(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	first := b.get("/oauth/authorize?" + s.request(s.clientID()).Encode())
	denied := b.post("/oauth/continue", first.form("deny")).location().Query()
	if s.people.begun != 0 || denied.Get("error") != errDenied || denied.Get("iss") != s.url || denied.Get("state") != "xyz" {
		t.Error(denied)
	}
	if b.post("/oauth/continue", first.form("continue")); s.people.begun != 1 {
		t.Error("the control fails")
	}
}

func TestDenyingIsAsEasyAsAllowing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	shown := b.start("entra:t:alice", s.request(s.clientID()))
	answer := b.press(shown, shown.form("deny")).location()
	if answer.Query().Get("error") != errDenied || answer.Query().Has("code") || len(s.entries("denied to")) != 1 {
		t.Error(answer)
	}
	if again := b.press(shown, shown.form("allow")); again.location().Query().Has("code") {
		t.Error("allowed after it was denied")
	}
}

// No site can frame a page, and its forms lead to the client or nowhere.
func TestPagesCannotBeFramed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	for _, page := range []seen{
		b.get("/oauth/authorize?" + s.request(client).Encode()), b.start("entra:t:alice", s.request(client)), b.get("/oauth/authorize"), b.get("/oauth/consent?request=x"),
	} {
		policy := page.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || page.header.Get("X-Frame-Options") != "DENY" || strings.Contains(policy, "unsafe") || page.header.Get("Cache-Control") != "no-store" {
			t.Error(page.header)
		}
		if targets := strings.Contains(policy, "form-action 'self' http://127.0.0.1:33418;"); targets != (page.status == http.StatusOK) {
			t.Error(policy)
		}
	}
}

func TestPersonAllowsNoMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	all := "partner.read partner.write partner.change partner.approve partner.metrics openid"
	for name, test := range map[string]struct {
		scope string
		pairs []string
		want  string
	}{
		"asks for all":             {all, nil, "partner.read partner.write"},
		"asks for nothing":         {"-", nil, "partner.read"},
		"asks for what is unknown": {"openid email profile", nil, "partner.read"},
		"narrowed to reading":      {all, []string{"read_only", "yes"}, "partner.read"},
		"form with further scopes": {"partner.read", []string{"scope", all, "scopes", all}, "partner.read"},
		"one customer":             {all, []string{"tenants", "contoso-1"}, "partner.read partner.write"},
		"two customers":            {all, []string{"tenants", "contoso-1, Contoso-2"}, "partner.read partner.write"},
		"customer of another":      {all, []string{"tenants", "fabrikam"}, ""},
		"one of each":              {all, []string{"tenants", "contoso-1,fabrikam"}, ""},
		"all by a pattern":         {all, []string{"tenants", "*"}, ""},
		"pattern":                  {all, []string{"tenants", "contoso-*"}, ""},
		"commas alone":             {all, []string{"tenants", " , "}, ""},
		"class":                    {all, []string{"tenants", "contoso-[0-9]"}, ""},
	} {
		b := s.browser()
		shown := b.start("entra:t:alice", s.request(client, "scope", test.scope))
		answer := b.press(shown, with(shown.form("allow"), test.pairs...))
		s.clock.Advance(time.Minute)
		code := answer.location().Query().Get("code")
		if (code != "") != (test.want != "") {
			t.Errorf("%s: %d %s", name, answer.status, answer.location())
			continue
		}
		if code == "" {
			continue
		}
		code = s.browser().consent("entra:t:alice", s.request(client, "scope", test.scope), test.pairs...).Get("code")
		tokens := s.exchange(client, code)
		p := s.mustWork(tokens.text("access_token"))
		narrowed := strings.Contains(name, "customer")
		if tokens.text("scope") != test.want || p.Grant.AllowsTenant("contoso-3") == narrowed || !p.Grant.AllowsTenant("contoso-1") || p.Grant.AllowsTenant("fabrikam") {
			t.Errorf("%s: %s %+v", name, tokens.text("scope"), p.Grant)
		}
	}
	b := s.browser()
	if page := b.start("entra:t:bob", s.request(client, "scope", "partner.change")); strings.Contains(page.body, `value="allow"`) || !strings.Contains(page.body, `value="deny"`) {
		t.Error("somebody who has nothing of it can allow it:", page.body)
	}
}
