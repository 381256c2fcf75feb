package tenants

import (
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/answers"
)

// Status lists every credential in the order of its addition, with what health,
// which may be nil, knows of its sign-ins.
func (d *Directory) Status(health *HealthFile) ([]answers.CredentialView, error) {
	s, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	used := map[string]int{}
	for e := range s.all() {
		for _, ref := range e.Credentials {
			used[naming.Fold(ref.Name)]++
		}
	}
	known := health.All()
	list := make([]answers.CredentialView, len(s.credentials))
	for i, c := range s.credentials {
		name := naming.Fold(c.Name)
		state, end := c.Expiry(d.now())
		list[i] = answers.CredentialView{
			Name: c.Name, Kind: string(c.Kind), Tenants: used[name], Expiry: string(state), ExpiresAt: stamp(end),
			LastSuccess: stamp(known[name].LastSuccess), LastFailure: stamp(known[name].LastFailure), LastProblem: known[name].LastProblem,
		}
	}
	return list, nil
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
