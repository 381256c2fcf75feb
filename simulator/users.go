package simulator

import (
	"fmt"
	"strings"
	"time"
)

// PublicClientID is the public client under which people may sign in, beside
// the application itself: the one that Azure CLI has in every tenant.
const PublicClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// refreshLife is the lifetime of a public client's refresh token.
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

// refresh is a refresh token.
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
