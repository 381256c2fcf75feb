package simulator

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// arrive finds the tenant of a request to Entra ID and numbers the request.
func (c *call) arrive() {
	if t := c.sim.find(c.route.arg); t != nil {
		c.tenant = t
		c.key = string(c.route.op) + "/" + t.TenantID
		if c.route.op == OpToken {
			t.tokenCalls++
			c.n = t.tokenCalls
		}
	}
}

func (c *call) entraAnswer() answer {
	switch c.plan.Kind {
	case FaultTokenError:
		return c.plan.withRetryAfter(c.entraError(c.plan.status(500, 503, 504), &entraTransient))
	case FaultTokenHTML:
		return htmlAnswer(c.plan.status(404, 502, 503))
	}
	return c.afterwards(c.route.do(c))
}

func (c *call) entraHeaders(a answer) answer {
	if a.outcome == dropped {
		return a
	}
	a.header.Set("x-ms-request-id", c.requestID())
	a.header.Set("client-request-id", c.correlationID("client-request-id"))
	a.header.Set("Cache-Control", "no-store, no-cache")
	a.header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	return a
}

// token serves the token endpoint, with Entra's checks in Entra's order.
func (c *call) token() answer {
	form := c.r.PostForm
	if why := cmp.Or(c.checkPost(), c.checkForm(form)); why != nil {
		return c.entraError(http.StatusBadRequest, why)
	}
	if form.Get("grant_type") != "client_credentials" {
		return c.redeem(form)
	}
	who := c.tenant.byClient(form.Get("client_id"))
	if who == nil || who.managed || who.denied {
		return c.entraError(http.StatusBadRequest, entraNoApp.about(form.Get("client_id")))
	}
	if why := c.prove(who, form); why != nil {
		return c.entraError(http.StatusUnauthorized, why)
	}
	c.who = who
	return c.grant(form)
}

func (c *call) checkPost() *entraProblem {
	switch {
	case c.r.Method != http.MethodPost:
		return &entraNotPost
	case c.malformed:
		return &entraMalformed
	}
	return nil
}

func (c *call) checkForm(form url.Values) *entraProblem {
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(name) == "" {
			return entraMissing.about(name)
		}
	}
	// MSAL has a short name for the device code.
	if !slices.Contains([]string{"client_credentials", "authorization_code", "refresh_token", "device_code", "urn:ietf:params:oauth:grant-type:device_code"}, form.Get("grant_type")) {
		return entraGrantType.about(form.Get("grant_type"))
	}
	return c.checkTenant()
}

func (c *call) checkTenant() *entraProblem {
	if c.tenant == nil {
		return entraNoTenant.about(c.route.arg)
	}
	return nil
}

func (c *call) prove(p *principal, form url.Values) *entraProblem {
	switch secret := form.Get("client_secret"); {
	case secret == "" && form.Get("client_assertion") != "":
		return c.proveByAssertion(p, form)
	case secret == "":
		return &entraNoProof
	case secret != p.secret.value:
		return &entraWrongSecret
	case p.secret.expired:
		return &entraExpiredSecret
	}
	return nil
}

// grant issues the requested token, or the one of a fault.
func (c *call) grant(form url.Values) answer {
	audience, ok := audienceOf(form.Get("scope"))
	if !ok {
		return c.entraError(http.StatusBadRequest, entraScope.about(form.Get("scope")))
	}
	if !sameAudience(audience, c.sim.Audience()) && audience != graphAudience {
		return c.entraError(http.StatusBadRequest, entraNoResource.about(audience))
	}
	token, err := c.issue(audience)
	if err != nil {
		return c.entraError(http.StatusInternalServerError, &entraTransient)
	}
	seconds := int(c.sim.cfg.TokenLifetime.Seconds())
	return jsonAnswer(http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
	})
}

// graphAudience is a resource whose tokens ARM refuses.
const graphAudience = "https://graph.microsoft.com"

// audienceOf reads "<audience>/.default", beside which only OpenID's own
// scopes may stand. An audience that ends in a slash keeps it.
func audienceOf(scope string) (string, bool) {
	audience := ""
	for s := range strings.FieldsSeq(scope) {
		if slices.Contains([]string{"openid", "offline_access", "profile"}, s) {
			continue
		}
		a, ok := strings.CutSuffix(s, "/.default")
		if !ok || audience != "" {
			return "", false
		}
		audience = a
	}
	return audience, audience != ""
}

func (c *call) issue(audience string) (string, error) {
	cl := c.sim.claims(c.base(), c.tenant.TenantID, c.who, audience)
	switch c.plan.Kind {
	case FaultWrongTenantToken:
		cl = c.elsewhere(audience)
	case FaultOpaqueToken:
		token := c.draw("opaque").text()
		c.sim.remember(token, cl)
		return token, nil
	}
	return c.sim.issue(cl)
}

// elsewhere are the claims of the same application in the next tenant. Where
// there is only one tenant, the other does not exist.
func (c *call) elsewhere(audience string) claims {
	i := slices.Index(c.sim.tenants, c.tenant)
	if other := c.sim.tenants[(i+1)%len(c.sim.tenants)]; other != c.tenant {
		return c.sim.claims(c.base(), other.TenantID, other.app(), audience)
	}
	return c.sim.claims(c.base(), c.draw("elsewhere").guid(), c.who, audience)
}

//go:embed openid.json
var openIDText string

// openID is the discovery document, in the fields that clients read.
func (c *call) openID() answer {
	tenant := c.route.arg
	switch {
	case c.tenant != nil:
		tenant = c.tenant.TenantID
	case !slices.Contains([]string{"common", "organizations"}, strings.ToLower(tenant)):
		problem := entraNoTenant.about(tenant)
		problem.oauth = "invalid_tenant"
		return c.entraError(http.StatusBadRequest, problem)
	}
	return jsonAnswer(http.StatusOK, json.RawMessage(strings.ReplaceAll(openIDText, "{base}", c.base()+"/"+tenant)))
}

// instance answers that this host is an authority without aliases.
func (c *call) instance() answer {
	return jsonAnswer(http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": c.base() + "/common/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": c.r.Host, "preferred_cache": c.r.Host, "aliases": []string{c.r.Host},
		}},
	})
}

// keys is what the discovery's jwks_uri leads to.
func (c *call) keys() answer {
	point, err := c.sim.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return c.entraError(http.StatusInternalServerError, &entraTransient)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": c.sim.keyID, "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
}
