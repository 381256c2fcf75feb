package fleet

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// Directory is where tenants are looked up. Its errors are problems.
type Directory interface {
	// All goes through all tenants, ordered by name.
	All() iter.Seq2[schemas.Tenant, error]
	// Resolve finds a tenant by its ID, or answers with a CodeUnknownTenant problem.
	// A nil sees says yes to all.
	Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error)
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

// place is a target by what finds it again: a run of 100 000 keeps no more of each.
type place struct{ tenant, tenantID, credential, authority string }

func (t Target) place() place {
	return place{t.Tenant.Name, t.Tenant.TenantID, t.Credential, t.Tenant.Authority}
}

// spares are the other credentials of the target's identity.
func (t Target) spares() (names []string) {
	same := func(name string) string { return cmp.Or(t.Tenant.SameIdentity[name], name) }
	for _, name := range t.Tenant.Credentials {
		if name != t.Credential && same(name) == same(t.Credential) {
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
func Select(directory Directory, s Selection, visible Visible) (found []Target, err error) {
	err = s.Each(visible.of(directory), func(tenant schemas.Tenant) {
		found = append(found, targetsOf(tenant)...)
	})
	return found, err
}

func targetsOf(tenant schemas.Tenant) []Target {
	return xslices.Map(tenant.Credentials, func(credential string) Target { return Target{tenant, credential} })
}

// of goes through the tenants that exist for a caller.
func (v Visible) of(directory Directory) iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		for tenant, err := range directory.All() {
			if (err != nil || v(tenant)) && !yield(tenant, err) {
				return
			}
		}
	}
}

// Each hands on the tenants that are meant, in their order. Its error may be
// that one of the names or labels fits none, and comes after the others.
func (s Selection) Each(tenants iter.Seq2[schemas.Tenant, error], do func(schemas.Tenant)) error {
	c, err := newChooser(s)
	if err != nil {
		return err
	}
	none := true
	for tenant, err := range tenants {
		if err != nil {
			return err
		}
		none = false
		if c.takes(tenant) {
			do(tenant)
		}
	}
	if none {
		return problems.New(problems.CodeDirectoryEmpty, "The tenant directory of this server is empty.")
	}
	return c.missing(tenants)
}

// chooser tells tenant by tenant what a selection means, and remembers what of it
// found one. Names, domains and IDs cannot collide: the directory refuses that.
type chooser struct {
	Selection
	// exact are names by their folded form, globs the others, as their places.
	exact map[string][]int
	globs []int
	// named and labelled say of each name and each label whether a tenant fits.
	named, labelled []bool
}

func newChooser(s Selection) (*chooser, error) {
	c := &chooser{Selection: s, exact: map[string][]int{}, named: make([]bool, len(s.Tenants)), labelled: make([]bool, len(s.Labels))}
	for i, name := range s.Tenants {
		name = strings.TrimSpace(name)
		if !naming.IsGlob(name) {
			c.exact[naming.Fold(name)] = append(c.exact[naming.Fold(name)], i)
			continue
		}
		if problem := naming.CheckPattern(name); problem != "" {
			return nil, problems.New(problems.CodeInvalidArgument, fmt.Sprintf("tenants has %q, which %s.", untrusted.Sanitize(name), problem))
		}
		c.globs = append(c.globs, i)
	}
	return c, nil
}

func (c *chooser) takes(t schemas.Tenant) bool {
	taken := len(c.Tenants) == 0
	if len(c.exact) > 0 {
		for _, key := range append([]string{t.Name, t.TenantID}, t.Domains...) {
			for _, i := range c.exact[naming.Fold(key)] {
				c.named[i], taken = true, true
			}
		}
	}
	for _, i := range c.globs {
		if naming.Match(strings.TrimSpace(c.Tenants[i]), t.Name) {
			c.named[i], taken = true, true
		}
	}
	for i, label := range c.Labels {
		taken = taken && slices.ContainsFunc(t.Labels, func(has string) bool { return naming.Same(has, label) })
		c.labelled[i] = c.labelled[i] || taken
	}
	return taken
}

// missing refuses what fits no tenant. A label that no chosen tenant has would
// otherwise look like a clean fleet.
func (c *chooser) missing(tenants iter.Seq2[schemas.Tenant, error]) error {
	if i := slices.Index(c.named, false); i >= 0 {
		var names []string
		for tenant := range tenants {
			if !slices.Contains(c.globs, i) {
				names = append(names, tenant.Name)
			}
		}
		return unknownTenant(strings.TrimSpace(c.Tenants[i]), names)
	}
	if i := slices.Index(c.labelled, false); i >= 0 {
		return unknownLabel(c.Labels[i], tenants)
	}
	return nil
}

// labelsShown is how many labels a refusal lists.
const labelsShown = 20

// unknownLabel lists the labels that the tenants have.
func unknownLabel(label string, tenants iter.Seq2[schemas.Tenant, error]) error {
	all := map[string]bool{}
	for t := range tenants {
		for _, has := range t.Labels {
			all[has] = true
		}
	}
	labels := slices.Sorted(maps.Keys(all))
	hint := "Leave the labels out: no tenant has one."
	if n := len(labels); n > labelsShown {
		hint = fmt.Sprintf("The first %d of %d labels: %s.", labelsShown, n, untrusted.Sanitize(strings.Join(labels[:labelsShown], ", ")))
	} else if n > 0 {
		hint = "The labels are " + untrusted.Sanitize(strings.Join(labels, ", ")) + "."
	}
	return problems.New(problems.CodeUnknownTenant,
		fmt.Sprintf("No tenant of the selection has the label %s.", untrusted.Shown(label)),
		problems.WithNextTool(schemas.ToolListTenants), problems.WithCommand(hint, "mcp-partner tenants list"))
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
