package pec

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	testSub  = "10000000-0000-4000-8000-000000000001"
	testSelf = "20000000-0000-4000-8000-000000000001"
	testHome = "30000000-0000-4000-8000-000000000001"
	ownerID  = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
)

// randomHeld is a reading in which everything may be odd.
func randomHeld(r *rand.Rand) Held {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	h := Held{
		Identity: Identity{TenantID: testHome, ObjectID: testSelf}, Now: time.Unix(1_800_000_000, 0),
		Subscription: Subscription{ID: testSub, TenantID: pick(testHome, testHome, testSelf, ""), State: pick("Enabled", "Disabled", ""), Listed: r.IntN(2) == 0},
	}
	if r.IntN(4) == 0 {
		h.Subscription.ManagedBy = []string{pick(testHome, testSelf)}
	}
	for range r.IntN(4) {
		a := Assignment{
			RoleID:        pick(ownerID, "acdd72a7-3385-48ef-bd42-f606fba81ae7", "99999999-9999-4999-8999-999999999999", ""),
			PrincipalID:   pick(testSelf, testSelf, "40000000-0000-4000-8000-000000000001"),
			PrincipalType: pick("User", "ServicePrincipal", "Group", "Group", "ForeignGroup", "Device", ""),
			Scope: pick("/", "/subscriptions/"+testSub, "/subscriptions/"+testSub+"/resourceGroups/a", "/subscriptions/"+testHome, "", "//",
				"/providers/Microsoft.Management/managementGroups/a"),
			Conditional: r.IntN(4) == 0,
		}
		h.Assignments = append(h.Assignments, a)
		if r.IntN(3) == 0 {
			h.Schedules = append(h.Schedules, Schedule{RoleID: a.RoleID, PrincipalID: a.PrincipalID, Scope: a.Scope, End: h.Now.Add(time.Duration(r.IntN(5)-2) * time.Hour)})
		}
	}
	if r.IntN(6) == 0 {
		h.Problem = problems.New(problems.CodeARMUnavailable, "ARM answered 503.")
	}
	return h
}

// rank orders verdicts: worse ones first.
func rank(row answers.PECSubscription) int {
	base := map[answers.PECVerdict]int{answers.PECNotEligible: 0, answers.PECUnlisted: 1, answers.PECUnknown: 2, answers.PECEligible: 4}[row.Verdict]
	if row.Partial {
		base--
	}
	return base
}

func TestEligibleAssignmentNeverWorsensAVerdict(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		h := randomHeld(r)
		before := BuiltIn().Judge(h)
		more := h
		more.Assignments = append(append([]Assignment{}, h.Assignments...), Assignment{
			RoleID: ownerID, PrincipalID: testSelf, PrincipalType: "ServicePrincipal", Scope: "/subscriptions/" + testSub + []string{"", "/resourceGroups/b"}[r.IntN(2)],
			Conditional: r.IntN(2) == 0,
		})
		if after := BuiltIn().Judge(more); rank(after) < rank(before) {
			t.Fatalf("%+v\nbefore %+v\nafter %+v", h, before, after)
		}
	}
}

func TestUnreadableRolesAreUnknown(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		h := randomHeld(r)
		h.Problem = problems.New(problems.CodeForbidden, "ARM answered 403.")
		if row := BuiltIn().Judge(h); row.Verdict != answers.PECUnknown || row.Reason == "" || row.Fix == "" {
			t.Fatalf("%+v\n%+v", h, row)
		}
	}
}

// No verdict says that there is no eligible role where an eligible one is in
// the answer, under whatever doubt.
func TestListedEligibleRoleIsNeverDenied(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		h := randomHeld(r)
		eligible := false
		for _, a := range h.Assignments {
			eligible = eligible || a.RoleID == ownerID
		}
		row := BuiltIn().Judge(h)
		if eligible && (row.Verdict == answers.PECNotEligible || row.Verdict == answers.PECUnlisted) {
			t.Fatalf("%+v\n%+v", h, row)
		}
	}
}

func TestOrderOfAssignmentsDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 5_000 {
		h := randomHeld(r)
		first := BuiltIn().Judge(h)
		shuffled := append([]Assignment{}, h.Assignments...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		h.Assignments = shuffled
		if again := BuiltIn().Judge(h); again.Verdict != first.Verdict || again.Partial != first.Partial {
			t.Fatalf("%+v\n%+v\n%+v", h, first, again)
		}
	}
}

func ExampleList_Judge() {
	row := BuiltIn().Judge(Held{
		Identity: Identity{TenantID: testHome, ObjectID: testSelf}, Subscription: Subscription{ID: testSub, TenantID: testHome, Name: "Sandbox"},
		Assignments: []Assignment{{RoleID: ownerID, PrincipalID: testSelf, PrincipalType: "User", Scope: "/subscriptions/" + testSub}},
	})
	fmt.Println(row.Verdict, row.Why)
	// Output: eligible_role Owner.
}
