package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// The api-versions that exist.
const (
	partnerAPIVersion = "2018-02-01"
	tenantsAPIVersion = "2022-12-01"
)

// armAnswer applies faults, takes a token from the bucket, and then runs the
// operation.
func (c *call) armAnswer() answer {
	if a, ok := c.intercept(); ok {
		return a
	}
	if bucket := c.bucket(); !bucket.AllowN(c.now, 1) {
		missing := (1 - bucket.TokensAt(c.now)) / float64(bucket.Limit())
		return c.throttled(time.Duration(missing * float64(time.Second)))
	}
	if a, ok := c.checkVersion(); !ok {
		return a
	}
	return c.afterwards(c.route.do(c))
}

// authenticate finds the identity of the bearer token and numbers the request.
func (c *call) authenticate() (answer, bool) {
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return c.unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."), false
	}
	cl, issued := c.sim.issued[token]
	if !issued {
		return c.unauthorized("InvalidAuthenticationToken", "The access token is invalid."), false
	}
	if a, ok := c.checkClaims(cl); !ok {
		return a, false
	}
	t := c.sim.find(cl.TenantID)
	if t == nil {
		return c.unauthorized("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer."), false
	}
	who := t.byObject(cl.ObjectID)
	if who == nil {
		return c.unauthorized("InvalidAuthenticationToken", "The access token is of an identity that is not in its tenant."), false
	}
	c.identify(t, who)
	return answer{}, true
}

func (c *call) identify(t *tenant, who *principal) {
	c.tenant, c.who = t, who
	c.key = "arm/" + t.TenantID + "/" + who.objectID
	who.calls++
	c.n = who.calls
}

func (c *call) checkClaims(cl claims) (answer, bool) {
	switch {
	case cl.expired(c.now):
		return c.unauthorized("ExpiredAuthenticationToken", "The access token expiry UTC time '"+cl.ExpiresAt.UTC().Format(time.DateTime)+
			"' is earlier than current UTC time '"+c.now.UTC().Format(time.DateTime)+"'."), false
	case cl.early(c.now):
		return c.unauthorized("InvalidAuthenticationToken", "The access token is not valid yet."), false
	case !sameAudience(cl.Audience, c.sim.Audience()):
		return c.unauthorized("InvalidAuthenticationTokenAudience", "The access token has been obtained for the wrong audience or resource '"+
			cl.Audience+"'. It should be '"+c.sim.Audience()+"'."), false
	}
	return answer{}, true
}

// sameAudience accepts the audience with and without its last slash, as ARM
// does.
func sameAudience(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// checkVersion comes after the path: a path that is not known has no version.
func (c *call) checkVersion() (answer, bool) {
	want := c.route.version
	if want == "" {
		return answer{}, true
	}
	got := c.r.URL.Query().Get("api-version")
	switch {
	case got == "":
		return armError(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."), false
	case !strings.EqualFold(got, want):
		return c.wrongVersion(got, want), false
	}
	return answer{}, true
}

func (c *call) wrongVersion(got, want string) answer {
	if c.route.op != OpPartner && c.route.op != OpPartners && c.route.op != OpOperations {
		return armError(400, "InvalidApiVersionParameter", "The api-version '"+clip(got)+"' is invalid. The supported versions are '"+want+"'.")
	}
	kind := "partners"
	if c.route.op == OpOperations {
		kind = "operations"
	}
	return armError(400, "NoRegisteredProviderFound", "No registered resource provider found for location '' and API version '"+clip(got)+
		"' for type '"+kind+"'. The supported api-versions are '"+want+"'. The supported locations are ''.")
}

// bucket is the bucket that a request draws on, full at first.
func (c *call) bucket() *rate.Limiter {
	limiter, size := &c.who.reads, c.sim.cfg.Throttle.Reads
	if c.writes() {
		limiter, size = &c.who.writes, c.sim.cfg.Throttle.Writes
	}
	if *limiter == nil {
		*limiter = rate.NewLimiter(rate.Limit(size.PerSecond), size.Size)
	}
	return *limiter
}

// throttled is ARM's answer when a bucket is empty.
func (c *call) throttled(wait time.Duration) answer {
	kind := "read"
	if c.writes() {
		kind = "write"
	}
	return armError(http.StatusTooManyRequests, "TooManyRequests", "The limit of "+kind+" requests of this principal in tenant '"+
		c.tenantID()+"' is reached. Try again after '"+strconv.Itoa(wholeSeconds(wait))+"' seconds.").retryAfter(wait)
}

func (c *call) armHeaders(a answer) answer {
	if a.outcome == dropped {
		return a
	}
	h := a.header
	h.Set("x-ms-request-id", c.requestID())
	h.Set("x-ms-correlation-request-id", c.correlationID("x-ms-correlation-request-id"))
	h.Set("x-ms-routing-request-id", "SIMULATOR:"+c.now.UTC().Format("20060102T150405Z")+":"+c.requestID())
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	if c.who != nil {
		c.rateHeaders(h)
	}
	return a
}

func (c *call) rateHeaders(h http.Header) {
	kind := "reads"
	if c.writes() {
		kind = "writes"
	}
	h.Set("x-ms-ratelimit-remaining-tenant-"+kind, strconv.Itoa(int(c.bucket().TokensAt(c.now))))
}

func (c *call) unknown() answer {
	seg := strings.Split(c.route.arg, "/")
	if len(seg) < 2 || !strings.EqualFold(seg[0], "providers") {
		return armError(404, "InvalidResourcePath", "The request path '/"+clip(c.route.arg)+"' is not one that is known.")
	}
	if !strings.EqualFold(seg[1], "Microsoft.ManagementPartner") {
		return armError(404, "InvalidResourceNamespace", "The resource namespace '"+clip(seg[1])+"' is invalid.")
	}
	return invalidResourceType()
}

func invalidResourceType() answer {
	return armError(404, "InvalidResourceType", "The resource type could not be found in the namespace 'Microsoft.ManagementPartner' for api version '"+partnerAPIVersion+"'.")
}
