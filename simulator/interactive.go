package simulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	deviceCodeLife = 15 * time.Minute
	devicePoll     = 5 * time.Second
	codeLife       = 10 * time.Minute
)

// device is a sign-in by code that somebody has begun.
type device struct {
	userCode, clientID string
	until, polled      time.Time
	every              time.Duration
	user               *user
	declined           bool
}

// authorization is a code that the sign-in page gave.
type authorization struct {
	user                             *user
	clientID, redirectURI, challenge string
	until                            time.Time
}

// ApproveDevice is a person typing a code and signing in.
func (s *Simulator) ApproveDevice(userCode, name string) error {
	return s.decideDevice(userCode, name, false)
}

// DeclineDevice is a person typing a code and declining.
func (s *Simulator) DeclineDevice(userCode string) error { return s.decideDevice(userCode, "", true) }

func (s *Simulator) decideDevice(userCode, name string, declined bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.people.users[strings.ToLower(name)]
	for _, d := range s.people.devices {
		if strings.EqualFold(d.userCode, userCode) && (declined || u != nil) {
			d.user, d.declined = u, declined
			return nil
		}
	}
	return errNoDevice
}

func (c *call) deviceCode() answer {
	form := c.r.PostForm
	if why := cmp.Or(c.checkPost(), c.checkTenant(), c.checkPublic(form.Get("client_id"))); why != nil {
		return c.entraError(http.StatusBadRequest, why)
	}
	s := c.sim
	code := s.secretText("device")
	d := &device{userCode: strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(s.secretText("user code")))[:9], clientID: form.Get("client_id"),
		until: c.now.Add(deviceCodeLife), every: devicePoll, user: s.people.eager}
	s.people.devices[code] = d
	return jsonAnswer(http.StatusOK, map[string]any{
		"device_code": code, "user_code": d.userCode, "verification_uri": c.base() + "/devicelogin", "expires_in": int(deviceCodeLife.Seconds()), "interval": int(devicePoll.Seconds()),
		"message": "To sign in, use a web browser to open the page " + c.base() + "/devicelogin and enter the code " + d.userCode + " to authenticate.",
	})
}

// checkPublic checks who asks for a sign-in of a person.
func (c *call) checkPublic(clientID string) *entraProblem {
	if !c.sim.isPublic(clientID) {
		return entraNoApp.about(clientID)
	}
	return nil
}

// authorize is the sign-in page. The person of SignInBrowser is signed in, so it
// sends the browser on at once, with a form as response_mode=form_post wants.
func (c *call) authorize() answer {
	query := c.r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	switch why := cmp.Or(c.checkTenant(), c.checkPublic(query.Get("client_id"))); {
	case why != nil:
		return c.entraError(http.StatusBadRequest, why)
	case err != nil || redirect.Scheme != "http" || redirect.Hostname() != "localhost":
		return c.entraError(http.StatusBadRequest, entraRedirect.about(query.Get("redirect_uri")))
	case query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" || query.Get("code_challenge") == "":
		return c.entraError(http.StatusBadRequest, entraMissing.about("code_challenge"))
	}
	return c.signInPage(query)
}

func (c *call) signInPage(query url.Values) answer {
	s := c.sim
	who := s.people.browser
	if who == nil {
		return pageAnswer("<p>Nobody is signed in in this browser.</p>")
	}
	fields := map[string]string{"state": query.Get("state")}
	if _, ok := who.objects[c.tenant.TenantID]; ok {
		code := s.secretText("code")
		s.people.codes[code] = &authorization{who, query.Get("client_id"), query.Get("redirect_uri"), query.Get("code_challenge"), c.now.Add(codeLife)}
		fields["code"] = code
	} else {
		fields["error"], fields["error_description"] = "access_denied", "AADSTS50020: The user has no account in the tenant."
	}
	form := `<form method="POST" action="` + html.EscapeString(query.Get("redirect_uri")) + `">`
	for name, value := range fields {
		form += `<input type="hidden" name="` + name + `" value="` + html.EscapeString(value) + `">`
	}
	return pageAnswer(form + `<button>Continue</button></form><script>document.forms[0].submit()</script>`)
}

func pageAnswer(body string) answer {
	return answer{status: http.StatusOK, body: []byte("<!DOCTYPE html><title>Sign in</title>" + body), header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}
}

// redeem serves the grants of people at the token endpoint.
func (c *call) redeem(form url.Values) answer {
	who, why := c.sim.person(c.now, form)
	if why = cmp.Or(c.checkPublic(form.Get("client_id")), why); why != nil {
		return c.entraError(http.StatusBadRequest, why)
	}
	p := c.tenant.byObject(who.objects[c.tenant.TenantID])
	switch {
	case p == nil:
		return c.entraError(http.StatusBadRequest, entraNoAccount.about(who.name))
	case form.Get("grant_type") == "refresh_token" && c.sim.people.strict[c.tenant.TenantID]:
		return c.entraError(http.StatusBadRequest, &entraInteraction)
	}
	c.who = p
	return c.grantPerson(form, who)
}

// person finds who stands behind a code or a refresh token.
func (s *Simulator) person(now time.Time, form url.Values) (*user, *entraProblem) {
	switch form.Get("grant_type") {
	case "refresh_token":
		r := s.people.refreshes[form.Get("refresh_token")]
		if r == nil || now.After(r.until) || !strings.EqualFold(r.clientID, form.Get("client_id")) {
			return nil, &entraRefresh
		}
		return r.user, nil
	case "authorization_code":
		return s.people.byCode(now, form)
	}
	return s.people.byDevice(now, form)
}

// byCode takes an authorization code, once.
func (p *people) byCode(now time.Time, form url.Values) (*user, *entraProblem) {
	a := p.codes[form.Get("code")]
	delete(p.codes, form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case a == nil || now.After(a.until):
		return nil, &entraCode
	case a.redirectURI != form.Get("redirect_uri") || !strings.EqualFold(a.clientID, form.Get("client_id")):
		return nil, &entraCode
	case a.challenge != encode(sum[:]):
		return nil, &entraVerifier
	}
	return a.user, nil
}

// byDevice answers a client that polls.
func (p *people) byDevice(now time.Time, form url.Values) (*user, *entraProblem) {
	d := p.devices[form.Get("device_code")]
	switch {
	case d == nil || !strings.EqualFold(d.clientID, form.Get("client_id")):
		return nil, &entraDeviceCode
	case now.After(d.until):
		return nil, &entraDeviceLate
	case d.declined:
		return nil, &entraDeclined
	case d.user != nil:
		delete(p.devices, form.Get("device_code"))
		return d.user, nil
	}
	hasty := !d.polled.IsZero() && now.Before(d.polled.Add(d.every))
	d.polled = now
	if hasty {
		return nil, &entraSlowDown
	}
	return nil, &entraPending
}

func (c *call) grantPerson(form url.Values, who *user) answer {
	audience, ok := audienceOf(form.Get("scope"))
	if !ok || !sameAudience(audience, c.sim.Audience()) {
		return c.entraError(http.StatusBadRequest, entraScope.about(form.Get("scope")))
	}
	access, err := c.issue(audience)
	if err != nil {
		return c.entraError(http.StatusInternalServerError, &entraTransient)
	}
	id, err := c.sim.sign(jwt.MapClaims{
		"aud": form.Get("client_id"), "iss": c.base() + "/" + c.tenant.TenantID + "/v2.0", "iat": c.now.Unix(), "nbf": c.now.Unix(), "exp": c.now.Add(time.Hour).Unix(),
		"oid": c.who.objectID, "sub": c.who.objectID, "tid": c.tenant.TenantID, "preferred_username": who.name, "name": who.name, "ver": "2.0",
	})
	if err != nil {
		return c.entraError(http.StatusInternalServerError, &entraTransient)
	}
	info, _ := json.Marshal(map[string]string{"uid": who.objects[who.home], "utid": who.home})
	seconds := int(c.sim.cfg.TokenLifetime.Seconds())
	return jsonAnswer(http.StatusOK, map[string]any{
		"token_type": "Bearer", "scope": audience + "/.default", "expires_in": seconds, "ext_expires_in": seconds,
		"access_token": access, "refresh_token": c.newRefresh(form.Get("client_id"), who), "id_token": id, "client_info": encode(info),
	})
}

func (c *call) newRefresh(clientID string, who *user) string {
	token := "simRT~" + c.sim.secretText("refresh")
	c.sim.people.refreshes[token] = &refresh{who, clientID, c.now.Add(refreshLife)}
	return token
}

// PublicClientID is the public client under which people may sign in, beside
// the application itself: the one that Azure CLI has in every tenant.
const PublicClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

const refreshLife = 90 * 24 * time.Hour

// user is a person, with an identity in each tenant where it has an account.
type user struct {
	name, home string
	objects    map[string]string // object ID by tenant ID
}

// people are the users and their pending sign-ins.
type people struct {
	users     map[string]*user
	browser   *user
	eager     *user              // approves every code
	devices   map[string]*device // by device code
	codes     map[string]*authorization
	refreshes map[string]*refresh
	strict    map[string]bool // tenants in which Entra ID wants to see a person
	serial    uint64
}

type refresh struct {
	user     *user
	clientID string
	until    time.Time
}

// AddUser adds a person with an account in a home tenant and in others as a
// guest. It returns the object IDs by tenant ID; a name that exists is an error.
func (s *Simulator) AddUser(name, home string, guestIn ...string) (map[string]string, error) {
	u := &user{name: name, objects: map[string]string{}}
	var tenants []*tenant
	for _, ref := range append([]string{home}, guestIn...) {
		t, err := s.tenant(ref)
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
		u.objects[t.TenantID] = draw(s.cfg.Seed, "user", name, t.TenantID).guid()
	}
	u.home = tenants[0].TenantID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.people.users[strings.ToLower(name)] != nil {
		return nil, fmt.Errorf("simulator: there is a user %s already", name)
	}
	s.people.users[strings.ToLower(name)] = u
	for _, t := range tenants {
		t.principals = append(t.principals, &principal{objectID: u.objects[t.TenantID], user: u})
	}
	return u.objects, nil
}

// SignInBrowser signs a person in at the sign-in page of this simulator; an empty
// name signs everybody out.
func (s *Simulator) SignInBrowser(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.browser = s.people.users[strings.ToLower(name)]
	if name != "" && s.people.browser == nil {
		return fmt.Errorf("simulator: there is no user %s", name)
	}
	return nil
}

// ApproveDevices makes a person approve every further device code; an empty name
// stops that.
func (s *Simulator) ApproveDevices(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.eager = s.people.users[strings.ToLower(name)]
}

// EndSignIns revokes every refresh token of a person, as a change of password
// does.
func (s *Simulator) EndSignIns(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, r := range s.people.refreshes {
		if strings.EqualFold(r.user.name, name) {
			delete(s.people.refreshes, token)
		}
	}
}

// RequireInteraction makes a tenant demand an interactive sign-in, as a new
// conditional access policy does.
func (s *Simulator) RequireInteraction(tenantID string, wanted bool) error {
	return s.in(tenantID, func(t *tenant) error {
		s.people.strict[t.TenantID] = wanted
		return nil
	})
}

// secretText returns an unguessable code or token.
func (s *Simulator) secretText(kind string) string {
	s.people.serial++
	return draw(s.cfg.Seed, kind, ordinal(s.people.serial)).text()
}

func (s *Simulator) isPublic(clientID string) bool {
	return strings.EqualFold(clientID, PublicClientID) || strings.EqualFold(clientID, s.clientID)
}
