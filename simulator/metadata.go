package simulator

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

var errNoDevice = errors.New("simulator: no sign-in waits for that code, or there is no such user")

// ManagedIdentity is an identity of the machine on which a program runs.
type ManagedIdentity struct {
	// Tenant is the only one in which it exists, by name, domain or GUID.
	Tenant string
	// ClientID, ObjectID and ResourceID are by what it can be named. Without a
	// ResourceID it is the system-assigned one.
	ClientID, ObjectID, ResourceID string
}

// AddManagedIdentity assigns an identity to the machine.
func (s *Simulator) AddManagedIdentity(m ManagedIdentity) error {
	if m.ClientID == "" || m.ObjectID == "" {
		return errors.New("simulator: a managed identity needs a client ID and an object ID")
	}
	return s.in(m.Tenant, func(t *tenant) error {
		m.Tenant = t.TenantID
		t.principals = append(t.principals, &principal{clientID: m.ClientID, objectID: m.ObjectID, managed: true})
		s.machine = append(s.machine, m)
		return nil
	})
}

// IdentityHeader is what App Service gives its programs as IDENTITY_HEADER.
func (s *Simulator) IdentityHeader() string { return draw(s.cfg.Seed, "identity header").text() }

// MetadataHandler answers as a machine in Azure answers its own programs
// over plain HTTP: the instance metadata service at
// /metadata/identity/oauth2/token, and App Service's endpoint at /msi/token.
// Its requests are in the journal as opMetadata.
func (s *Simulator) MetadataHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, route{op: opMetadata, arg: r.URL.Path, do: (*call).metadata}, "metadata")
	})
}

func (c *call) metadata() answer {
	query := c.r.URL.Query()
	switch path := strings.TrimSuffix(c.r.URL.Path, "/"); {
	case c.r.Method != http.MethodGet || c.r.Header.Get("X-Forwarded-For") != "":
		return jsonAnswer(http.StatusBadRequest, map[string]string{"error": "bad_request"})
	case path == "/metadata/identity/oauth2/token":
		return c.imds(query)
	case path == "/msi/token":
		return c.appService(query)
	}
	return emptyAnswer(http.StatusNotFound)
}

func (c *call) imds(query url.Values) answer {
	switch {
	case c.r.Header.Get("Metadata") != "true":
		return imdsError("bad_request", "Required metadata header not specified")
	case query.Get("api-version") != "2018-02-01" || query.Get("resource") == "":
		return imdsError("bad_request_102", "Required audience parameter not specified")
	}
	found, ok := c.sim.identity(query)
	if !ok {
		return imdsError("invalid_request", "Identity not found")
	}
	return c.machineToken(found, query.Get("resource"))
}

func imdsError(code, text string) answer {
	return jsonAnswer(http.StatusBadRequest, map[string]string{"error": code, "error_description": text})
}

func (c *call) appService(query url.Values) answer {
	if c.r.Header.Get("X-IDENTITY-HEADER") != c.sim.IdentityHeader() {
		return jsonAnswer(http.StatusUnauthorized, map[string]any{"statusCode": 401, "message": "The identity header is missing or wrong."})
	}
	found, ok := c.sim.identity(query)
	if query.Get("api-version") != "2019-08-01" || !ok {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."})
	}
	return c.machineToken(found, query.Get("resource"))
}

// identity finds the identity that a request names; one that names none means
// the system-assigned one.
func (s *Simulator) identity(query url.Values) (ManagedIdentity, bool) {
	resource := query.Get("mi_res_id") + query.Get("msi_res_id")
	object := query.Get("object_id") + query.Get("principal_id")
	for _, m := range s.machine {
		switch client := query.Get("client_id"); {
		case client+resource+object == "" && m.ResourceID == "",
			client != "" && strings.EqualFold(client, m.ClientID),
			resource != "" && strings.EqualFold(resource, m.ResourceID),
			object != "" && strings.EqualFold(object, m.ObjectID):
			return m, true
		}
	}
	return ManagedIdentity{}, false
}

func (c *call) machineToken(m ManagedIdentity, resource string) answer {
	c.tenant = c.sim.find(m.Tenant)
	c.who = c.tenant.byObject(m.ObjectID)
	token, err := c.sim.issue(c.sim.claims(issuerHost, c.tenant.TenantID, c.who, resource))
	if err != nil {
		return emptyAnswer(http.StatusInternalServerError)
	}
	until := c.now.Add(c.sim.cfg.TokenLifetime).Unix()
	return jsonAnswer(http.StatusOK, map[string]string{
		"access_token": token, "client_id": m.ClientID, "resource": resource, "token_type": "Bearer",
		"expires_in": strconv.Itoa(int(c.sim.cfg.TokenLifetime.Seconds())), "expires_on": strconv.FormatInt(until, 10),
	})
}
