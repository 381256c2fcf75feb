package fleet

import (
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// Directory is where tenants are looked up. Its errors are problems.
type Directory interface {
	// List returns all tenants, ordered by name.
	List() ([]schemas.Tenant, error)
}

// Selection says which tenants a caller means. What is empty narrows nothing;
// the zero value means all that the caller may see.
type Selection struct {
	// Tenants are names, domains or tenant IDs, or globs over names as in
	// path.Match. One that fits wants a tenant.
	Tenants []string `json:"tenants,omitempty"`
	// Labels must all be on a tenant.
	Labels []string `json:"labels,omitempty"`
}

// Target is one identity in one tenant: a link belongs to such a pair, so a
// tenant with two credentials has two.
type Target struct {
	Tenant     schemas.Tenant
	Credential string
}

// OnePerIdentity keeps one target for each identity of a tenant, with its first
// credential: the others open the same link.
func OnePerIdentity(targets []Target) []Target {
	return slices.DeleteFunc(targets, func(t Target) bool { return t.Tenant.SameIdentity[t.Credential] != "" })
}

// spares are the other credentials of the target's identity.
func (t Target) spares() (names []string) {
	for _, name := range t.Tenant.Credentials {
		if t.Tenant.SameIdentity[name] == t.Credential {
			names = append(names, name)
		}
	}
	return names
}

// Visible says which tenants exist for a caller: those inside its grant and
// inside the operator's bounds. To name another one is like naming one that
// does not exist.
type Visible func(schemas.Tenant) bool

// Select returns the targets that are meant, in the order of the directory and
// of each tenant's credentials. Problems: CodeUnknownTenant for a name, glob or
// label that fits no visible tenant, CodeDirectoryEmpty, CodeInvalidArgument for
// a malformed glob.
func Select(directory Directory, s Selection, visible Visible) ([]Target, error) {
	tenants, err := directory.List()
	if err != nil {
		return nil, err
	}
	tenants = slices.DeleteFunc(tenants, func(t schemas.Tenant) bool { return !visible(t) })
	if len(tenants) == 0 {
		return nil, problems.New(problems.CodeDirectoryEmpty, "The tenant directory of this server is empty.")
	}
	chosen, err := s.Of(tenants)
	var found []Target
	for _, tenant := range chosen {
		for _, credential := range tenant.Credentials {
			found = append(found, Target{tenant, credential})
		}
	}
	return found, err
}

// Of returns the tenants that are meant, in their order.
func (s Selection) Of(tenants []schemas.Tenant) (found []schemas.Tenant, err error) {
	chosen := make([]bool, len(tenants))
	if err := s.chooseNamed(tenants, chosen); err != nil {
		return nil, err
	}
	if err := s.keepLabelled(tenants, chosen); err != nil {
		return nil, err
	}
	for i, tenant := range tenants {
		if chosen[i] {
			found = append(found, tenant)
		}
	}
	return found, nil
}

// chooseNamed marks the tenants that the names mean, or all without a name.
func (s Selection) chooseNamed(tenants []schemas.Tenant, chosen []bool) error {
	index := indexOf(tenants)
	for _, name := range s.Tenants {
		fits, err := index.find(name)
		if err != nil {
			return err
		}
		for _, i := range fits {
			chosen[i] = true
		}
	}
	for i := range chosen {
		chosen[i] = chosen[i] || len(s.Tenants) == 0
	}
	return nil
}

// keepLabelled unmarks tenants that lack one of the labels. A label that no
// chosen tenant has is a mistake, and would otherwise look like a clean fleet.
func (s Selection) keepLabelled(tenants []schemas.Tenant, chosen []bool) error {
	for _, label := range s.Labels {
		found := false
		for i, tenant := range tenants {
			chosen[i] = chosen[i] && slices.ContainsFunc(tenant.Labels, func(has string) bool { return naming.Same(has, label) })
			found = found || chosen[i]
		}
		if !found {
			return unknownLabel(label, tenants)
		}
	}
	return nil
}

// labelsShown is how many labels a refusal lists.
const labelsShown = 20

// unknownLabel lists the labels that the tenants have.
func unknownLabel(label string, tenants []schemas.Tenant) error {
	var labels []string
	for _, t := range tenants {
		labels = append(labels, t.Labels...)
	}
	slices.Sort(labels)
	labels = slices.Compact(labels)
	hint := "No tenant has a label."
	if n := len(labels); n > labelsShown {
		hint = fmt.Sprintf("The first %d of %d labels: %s.", labelsShown, n, untrusted.Sanitize(strings.Join(labels[:labelsShown], ", ")))
	} else if n > 0 {
		hint = "The labels are " + untrusted.Sanitize(strings.Join(labels, ", ")) + "."
	}
	return problems.New(problems.CodeUnknownTenant,
		fmt.Sprintf("No tenant of the selection has the label %s.", untrusted.Shown(label)),
		problems.WithNextTool(schemas.ToolListTenants), problems.WithCommand(hint, "mcp-partner tenants list"))
}

// nameIndex finds tenants by what a caller may call them. Names, domains and
// IDs cannot collide: the directory refuses that.
type nameIndex struct {
	names []string
	exact map[string]int
}

func indexOf(tenants []schemas.Tenant) nameIndex {
	index := nameIndex{exact: make(map[string]int, 3*len(tenants))}
	for i, t := range tenants {
		index.names = append(index.names, t.Name)
		for _, key := range append([]string{t.Name, t.TenantID}, t.Domains...) {
			index.exact[naming.Fold(key)] = i
		}
	}
	return index
}

func (x nameIndex) find(name string) ([]int, error) {
	name = strings.TrimSpace(name)
	if i, ok := x.exact[naming.Fold(name)]; ok {
		return []int{i}, nil
	}
	if !naming.IsGlob(name) {
		return nil, unknownTenant(name, x.names)
	}
	if problem := naming.CheckPattern(name); problem != "" {
		return nil, problems.New(problems.CodeInvalidArgument, fmt.Sprintf("tenants has %q, which %s.", untrusted.Sanitize(name), problem))
	}
	var fits []int
	for i, candidate := range x.names {
		if naming.Match(name, candidate) {
			fits = append(fits, i)
		}
	}
	if len(fits) == 0 {
		return nil, unknownTenant(name, nil)
	}
	return fits, nil
}

func unknownTenant(name string, names []string) error {
	next := problems.WithNextTool(schemas.ToolListTenants)
	if id := strings.TrimSpace(name); naming.IsGUID(id) {
		return problems.New(problems.CodeUnknownTenant, "No tenant in the directory has the ID "+id+
			". If that is a subscription ID: a partner link belongs to an identity in a tenant and never to a subscription.", next)
	}
	message := fmt.Sprintf("No tenant in the directory has the name, domain or ID %s.", untrusted.Shown(name))
	if near := schemas.Nearest(name, names); near != "" {
		return problems.New(problems.CodeUnknownTenant, message, next,
			problems.WithCommand("Did you mean "+near+"?", "mcp-partner tenants list"))
	}
	return problems.New(problems.CodeUnknownTenant, message, next)
}
