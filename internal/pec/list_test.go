package pec

import (
	"strings"
	"testing"
)

func TestBuiltInList(t *testing.T) {
	t.Parallel()
	list := BuiltIn()
	if all, eligible := counted(list); all != 122 || eligible != 98 {
		t.Errorf("%d roles, %d eligible; Microsoft's list has 122 and 98", all, eligible)
	}
	if list.Date != "2020-12" || list.Source == "" {
		t.Errorf("date %q, source %q", list.Date, list.Source)
	}
}

func TestOverride(t *testing.T) {
	t.Parallel()
	list, err := BuiltIn().Override(strings.NewReader("# date: 2026-11\nrole_definition_guid,role_name,eligible\n" +
		"ACDD72A7-3385-48EF-BD42-F606FBA81AE7,Reader,yes\n" + ownerID + ",,remove\n99999999-9999-4999-8999-999999999999,New Operator,no\n"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]standing{
		"acdd72a7-3385-48ef-bd42-f606fba81ae7": eligible, ownerID: unlisted, "99999999-9999-4999-8999-999999999999": notEligible,
		"b24988ac-6180-42a0-ab88-20f7382dd24c": eligible,
	} {
		if _, got := list.lookup(id); got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if list.Date != "2020-12, changed 2026-11" {
		t.Errorf("date %q", list.Date)
	}
	if _, still := BuiltIn().lookup(ownerID); still != eligible {
		t.Error("an override changed the list that it starts from")
	}
}

func TestOverrideRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, says string }{
		"no date":        {ownerID + ",Owner,yes\n", "# date"},
		"odd date":       {"# date: autumn\n", "# date"},
		"not a GUID":     {"# date: 2026-11\nOwner,Owner,yes\n", "not the GUID"},
		"twice":          {"# date: 2026-11\n" + ownerID + ",Owner,yes\n" + ownerID + ",Owner,no\n", "twice"},
		"no name":        {"# date: 2026-11\n" + ownerID + ",,yes\n", "no name"},
		"neither yes no": {"# date: 2026-11\n" + ownerID + ",Owner,maybe\n", "yes or no"},
		"two columns":    {"# date: 2026-11\n" + ownerID + ",Owner\n", "fields"},
	} {
		if _, err := BuiltIn().Override(strings.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
	}
}

func FuzzOverride(f *testing.F) {
	f.Add("# date: 2026-11\n" + ownerID + ",Owner,no\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := BuiltIn().Override(strings.NewReader(text))
		if (list == nil) == (err == nil) {
			t.Fatalf("%v, %v", list, err)
		}
	})
}

func TestScopeKinds(t *testing.T) {
	t.Parallel()
	in := "/subscriptions/" + testSub
	for scope, want := range map[string]string{
		"/": ScopeRoot, "": "", "//": "", in: ScopeSubscription, in + "/": ScopeSubscription, in + "/resourceGroups/a": ScopeResourceGroup,
		in + "/resourceGroups": "", in + "/resourceGroups/a/providers/x/y/z": ScopeResource, in + "/providers/Microsoft.Web/sites/a": ScopeResource,
		"/subscriptions/" + testHome: "", "/providers/Microsoft.Management/managementGroups/a": ScopeManagementGroup,
		"/providers/Microsoft.Management/managementGroups": "", "/providers/Microsoft.Marketplace": "", "nonsense": "",
	} {
		if got := scopeKind(scope, testSub); got != want {
			t.Errorf("%q: %q, want %q", scope, got, want)
		}
	}
}

// counted is how many roles are on a list, and how many of them are eligible.
func counted(l *List) (all, good int) {
	for _, role := range l.roles {
		if role.standing == eligible {
			good++
		}
	}
	return len(l.roles), good
}
