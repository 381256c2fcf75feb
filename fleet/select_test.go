package fleet_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
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
		{name: "all that may be seen", selection: fleet.Selection{}, want: "contoso/app contoso/person emea-1/app emea-2/app"},
		{name: "a name in another case", selection: fleet.Selection{Tenants: []string{" CONTOSO "}}, want: "contoso/app contoso/person"},
		{name: "a domain", selection: fleet.Selection{Tenants: []string{"contoso.example"}}, want: "contoso/app contoso/person"},
		{name: "a domain in ASCII", selection: fleet.Selection{Tenants: []string{"xn--gre-6ka8i.example"}}, want: "contoso/app contoso/person"},
		{name: "a domain, decomposed", selection: fleet.Selection{Tenants: []string{"gro\u0308ße.example"}}, want: "contoso/app contoso/person"},
		{name: "an ID", selection: fleet.Selection{Tenants: []string{strings.ToUpper(guid(1))}}, want: "emea-1/app"},
		{name: "a glob", selection: fleet.Selection{Tenants: []string{"emea-*"}}, want: "emea-1/app emea-2/app"},
		{name: "a glob and a name of it", selection: fleet.Selection{Tenants: []string{"emea-2", "emea-?"}}, want: "emea-1/app emea-2/app"},
		{name: "a label", selection: fleet.Selection{Labels: []string{"emea"}}, want: "contoso/app contoso/person emea-1/app emea-2/app"},
		{name: "both labels", selection: fleet.Selection{Labels: []string{"emea", "gold"}}, want: "contoso/app contoso/person"},
		{
			name: "a label of the named", selection: fleet.Selection{Tenants: []string{"emea-1", "contoso"}, Labels: []string{"gold"}},
			want: "contoso/app contoso/person",
		},
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

// No word of an answer may distinguish a tenant outside the caller's grant from
// one that does not exist.
func TestHiddenTenantLooksAbsent(t *testing.T) {
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

func TestMalformedGlobIsRefused(t *testing.T) {
	t.Parallel()
	_, err := fleet.Select(fourTenants(), fleet.Selection{Tenants: []string{"[a"}}, notHidden)
	if problems.As(err).Code != problems.CodeInvalidArgument {
		t.Error(err)
	}
}

// Twice the tenants under twice the names cost twice the work, counted in
// allocations.
func TestSelectionIsLinear(t *testing.T) {
	counted := func(n int) float64 {
		var directory listed
		selection := fleet.Selection{Tenants: []string{"tenant-*"}, Labels: []string{"gold"}}
		for i := range n {
			directory = append(directory, schemas.Tenant{Name: fmt.Sprintf("tenant-%d", i), TenantID: guid(byte(i % 6)), Credentials: []string{"app"}, Labels: []string{"gold"}})
			selection.Tenants = append(selection.Tenants, fmt.Sprintf("TENANT-%d", i))
		}
		return testing.AllocsPerRun(2, func() {
			if targets, err := fleet.Select(directory, selection, notHidden); err != nil || len(targets) != n {
				t.Fatalf("%d targets, %v", len(targets), err)
			}
		})
	}
	if small, large := counted(200), counted(400); large > 2.3*small {
		t.Errorf("400 tenants took %.0f allocations, 200 took %.0f", large, small)
	}
}

// meddling are clients at whose first use something happens.
type meddling struct {
	fleet.Clients
	once *sync.Once
	then func(first schemas.Tenant)
}

func (m meddling) Reader(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	m.once.Do(func() { m.then(tenant) })
	return m.Clients.Reader(ctx, tenant, credential)
}

func TestRunSkipsTenantHiddenFromCaller(t *testing.T) {
	t.Parallel()
	var h *fixture
	rename := func(first schemas.Tenant) {
		entries, _ := h.directory.List()
		for _, entry := range entries {
			if entry.Name == first.Name {
				continue
			}
			if err := h.directory.Edit(t.Context(), entry.Name, func(e *tenants.Entry) error { e.Name = "hidden"; return nil }); err != nil {
				t.Error(err)
			}
		}
	}
	h = build(t, simulator.Config{Tenants: 2}, func(o *fleet.Options) {
		o.Limits.Concurrency, o.Clients = 1, meddling{o.Clients, new(sync.Once), rename}
	})
	access := everything()
	access.Visible = func(t schemas.Tenant) bool { return t.Name != "hidden" }
	active, err := h.Start(t.Context(), "test", "", fleet.Audit{}, access)
	if err == nil {
		err = active.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rows := h.found("test", active.ID())
	gone := 0
	for _, row := range rows {
		if row.Problem != nil && row.Problem.Code == problems.CodeUnknownTenant && row.Tenant != "hidden" {
			gone++
		}
	}
	if gone != 1 || h.reads() != 1 {
		t.Errorf("%d reads, %+v", h.reads(), rows)
	}
}
