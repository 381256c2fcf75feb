package tenants

import (
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/answers"
)

// CredentialStatus is what may be told of a credential, to anybody.
type CredentialStatus struct {
	Name string
	Kind Kind
	// Tenants is how many entries name it.
	Tenants int
	Expiry  ExpiryState
	// Expires is zero where the end is not known or there is none.
	Expires time.Time
	Health
}

// Status lists every credential in the order of its addition, with what health,
// which may be nil, knows of its sign-ins.
func (d *Directory) Status(health *HealthFile) ([]CredentialStatus, error) {
	s, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	used := map[string]int{}
	for _, e := range s.entries {
		for _, ref := range e.Credentials {
			used[naming.Fold(ref.Name)]++
		}
	}
	known := health.All()
	list := make([]CredentialStatus, len(s.credentials))
	for i, c := range s.credentials {
		state, end := c.Expiry(d.now())
		list[i] = CredentialStatus{c.Name, c.Kind, used[naming.Fold(c.Name)], state, end, known[naming.Fold(c.Name)]}
	}
	return list, nil
}

// View is the status as agents see it.
func (c CredentialStatus) View() answers.CredentialView {
	v := answers.CredentialView{Name: c.Name, Kind: string(c.Kind), Tenants: c.Tenants, Expiry: string(c.Expiry)}
	for _, field := range []struct {
		at   time.Time
		into *string
	}{{c.Expires, &v.ExpiresAt}, {c.LastSuccess, &v.LastSuccess}, {c.LastFailure, &v.LastFailure}} {
		if !field.at.IsZero() {
			*field.into = field.at.UTC().Format(time.RFC3339)
		}
	}
	if !c.LastFailure.IsZero() {
		v.LastProblem = c.LastProblem
	}
	return v
}
