package fleet_test

import (
	"iter"
	"strings"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

type listed []schemas.Tenant

func (l listed) All() iter.Seq2[schemas.Tenant, error] { return all(l, nil) }

func (l listed) Resolve(id string, _ func(string) bool) (schemas.Tenant, error) {
	return resolved(l.All(), id)
}

func guid(n byte) string {
	return strings.Repeat("0", 7) + string('a'+n) + "-0000-4000-8000-000000000000"
}

// fourTenants are a directory; contoso has two credentials.
func fourTenants() listed {
	return listed{
		{Name: "contoso", TenantID: guid(0), Domains: []string{"contoso.example", "größe.example"}, Credentials: []string{"app", "person"}, Labels: []string{"emea", "gold"}},
		{Name: "emea-1", TenantID: guid(1), Credentials: []string{"app"}, Labels: []string{"emea"}},
		{Name: "emea-2", TenantID: guid(2), Credentials: []string{"app"}, Labels: []string{"emea"}},
		{Name: "Hidden", TenantID: guid(3), Domains: []string{"hidden.example"}, Credentials: []string{"app"}, Labels: []string{"secret"}},
	}
}

func notHidden(t schemas.Tenant) bool { return t.Name != "Hidden" }

func named(targets []fleet.Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Tenant.Name+"/"+t.Credential)
	}
	return strings.Join(names, " ")
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		selection fleet.Selection
		want      string
	}{
		{"all that may be seen", fleet.Selection{}, "contoso/app contoso/person emea-1/app emea-2/app"},
		{"a name in another case", fleet.Selection{Tenants: []string{" CONTOSO "}}, "contoso/app contoso/person"},
		{"a domain", fleet.Selection{Tenants: []string{"contoso.example"}}, "contoso/app contoso/person"},
		{"a domain in ASCII", fleet.Selection{Tenants: []string{"xn--gre-6ka8i.example"}}, "contoso/app contoso/person"},
		{"a domain, decomposed", fleet.Selection{Tenants: []string{"gro\u0308ße.example"}}, "contoso/app contoso/person"},
		{"an ID", fleet.Selection{Tenants: []string{strings.ToUpper(guid(1))}}, "emea-1/app"},
		{"a glob", fleet.Selection{Tenants: []string{"emea-*"}}, "emea-1/app emea-2/app"},
		{"a glob and a name of it", fleet.Selection{Tenants: []string{"emea-2", "emea-?"}}, "emea-1/app emea-2/app"},
		{"a label", fleet.Selection{Labels: []string{"emea"}}, "contoso/app contoso/person emea-1/app emea-2/app"},
		{"both labels", fleet.Selection{Labels: []string{"emea", "gold"}}, "contoso/app contoso/person"},
		{"a label of the named", fleet.Selection{Tenants: []string{"emea-1", "contoso"}, Labels: []string{"gold"}}, "contoso/app contoso/person"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			targets, err := fleet.Select(fourTenants(), c.selection, notHidden)
			if err != nil || named(targets) != c.want {
				t.Errorf("%q, %v; want %q", named(targets), err, c.want)
			}
		})
	}
}

// TestWhatIsHiddenIsNotThere: no word of an answer may tell a tenant that
// exists outside the caller's grant from one that does not exist.
func TestWhatIsHiddenIsNotThere(t *testing.T) {
	t.Parallel()
	none := func(schemas.Tenant) bool { return false }
	for _, pair := range [][2]fleet.Selection{
		{{Tenants: []string{"hidden"}}, {Tenants: []string{"absent"}}},
		{{Tenants: []string{"hidden.example"}}, {Tenants: []string{"absent.example"}}},
		{{Tenants: []string{guid(3)}}, {Tenants: []string{guid(4)}}},
		{{Tenants: []string{"hid*"}}, {Tenants: []string{"abs*"}}},
		{{Labels: []string{"secret"}}, {Labels: []string{"absent"}}},
	} {
		hidden, absent := refusal(t, pair[0], notHidden), refusal(t, pair[1], notHidden)
		like := strings.NewReplacer("hidden", "absent", guid(3), guid(4), "hid*", "abs*", "secret", "absent")
		if like.Replace(hidden) != absent {
			t.Errorf("%q differs from %q", hidden, absent)
		}
	}
	if _, err := fleet.Select(fourTenants(), fleet.Selection{}, none); problems.As(err).Code != problems.CodeDirectoryEmpty {
		t.Error("no tenant is visible:", err)
	}
}

func refusal(t *testing.T, s fleet.Selection, visible fleet.Visible) string {
	t.Helper()
	targets, err := fleet.Select(fourTenants(), s, visible)
	problem := problems.As(err)
	if len(targets) > 0 || problem.Code != problems.CodeUnknownTenant {
		t.Fatalf("%+v: %v, %v", s, targets, err)
	}
	return problem.Message + " " + problem.Hint
}

func TestAGlobMayBeMalformed(t *testing.T) {
	t.Parallel()
	_, err := fleet.Select(fourTenants(), fleet.Selection{Tenants: []string{"[a"}}, notHidden)
	if problems.As(err).Code != problems.CodeInvalidArgument {
		t.Error(err)
	}
}
