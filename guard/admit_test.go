package guard_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// spellings are names that a person reads as one.
func spellings() [][]string {
	return [][]string{
		{"café", norm.NFD.String("café"), "CAFÉ", "ＣＡＦÉ"}, {"office", "oﬃce", "ＯＦＦＩＣＥ"}, {"strasse", "STRASSE", "straße"}, {"contoso", "Contoso"}, {"zebra", "ZEBRA"},
	}
}

func TestDenyRuleMatchesEverySpellingOfName(t *testing.T) {
	t.Parallel()
	for _, names := range spellings() {
		for _, ruled := range names {
			for _, entry := range names {
				policy, err := access.NewPolicy(access.Settings{Rules: []access.Rule{{Tenants: []string{ruled}, Ruling: access.RulingDeny}, {Ruling: access.RulingRequester}}})
				if err != nil {
					t.Fatal(err)
				}
				subject := access.Subject{Operation: operation(t, schemas.ToolRegisterPartner), By: by("stdio"), Tenant: schemas.Tenant{Name: entry}, PartnerID: "1234567", Link: answers.LinkNotLinked}
				if got := policy.Evaluate(subject); got.Ruling != access.RulingDeny {
					t.Errorf("%+q is denied, and %+q is answered by %s", ruled, entry, got.Ruling)
				}
				subject.Tenant = schemas.Tenant{Name: "other", Labels: []string{entry}}
				labelled, err := access.NewPolicy(access.Settings{Rules: []access.Rule{{Tenants: []string{"label:" + ruled}, Ruling: access.RulingDeny}, {Ruling: access.RulingRequester}}})
				if err != nil {
					t.Fatal(err)
				}
				if got := labelled.Evaluate(subject); got.Ruling != access.RulingDeny {
					t.Errorf("the label %+q is denied, and %+q is answered by %s", ruled, entry, got.Ruling)
				}
			}
		}
	}
}

func TestPolicyChecksEachRequestOfTransition(t *testing.T) {
	t.Parallel()
	transition := access.Rule{Name: "transition", Operations: []string{schemas.ToolTransitionPartner}, Ruling: access.RulingApprover}
	deny := func(r access.Rule) []access.Rule {
		r.Name, r.Ruling = "deny", access.RulingDeny
		return []access.Rule{transition, r}
	}
	update, replace := guard.StrategyUpdate, guard.StrategyReplace
	for name, test := range map[string]struct {
		options  guard.Options
		strategy guard.Strategy
		denied   bool
	}{
		"nothing denied, update":  {options: guard.Options{Rules: []access.Rule{transition}}, strategy: update},
		"nothing denied, replace": {options: guard.Options{Rules: []access.Rule{transition}}, strategy: replace},
		"removal of the old ID": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolRemovePartner}, PartnerIDs: []string{"7654321"}})},
			strategy: replace, denied: true,
		},
		"removal of another ID": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolRemovePartner}, PartnerIDs: []string{"5555555"}})},
			strategy: replace,
		},
		"registration of the new ID": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolRegisterPartner}, PartnerIDs: []string{"1234567"}})},
			strategy: replace, denied: true,
		},
		"putting the old ID back": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolRegisterPartner}, PartnerIDs: []string{"7654321"}})},
			strategy: replace, denied: true,
		},
		"update of the old ID": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolUpdatePartner}, PartnerIDs: []string{"7654321"}})},
			strategy: update, denied: true,
		},
		"update to the new ID": {
			options:  guard.Options{Rules: deny(access.Rule{Operations: []string{schemas.ToolUpdatePartner}, PartnerIDs: []string{"1234567"}})},
			strategy: update, denied: true,
		},
		"the old ID, whatever is done": {
			options: guard.Options{Rules: deny(access.Rule{PartnerIDs: []string{"7654321"}})}, strategy: update, denied: true,
		},
		"all that nothing else allows": {
			options: guard.Options{Rules: deny(access.Rule{Operations: []string{"write", "destroy"}})}, strategy: replace,
		},
		"bounds without the old ID": {
			options: guard.Options{AllowWrites: true, Bounds: access.Bounds{PartnerIDs: []string{"1234567"}}}, strategy: replace,
			denied: true,
		},
		"bounds with both IDs": {
			options: guard.Options{AllowWrites: true, Bounds: access.Bounds{PartnerIDs: []string{"1234567", "7654321"}}}, strategy: replace,
		},
		"bounds, and a PATCH of the ID": {
			options: guard.Options{AllowWrites: true, Bounds: access.Bounds{PartnerIDs: []string{"1234567"}}}, strategy: update,
		},
	} {
		g := newGuard(t, test.options)
		plan := manyPlan(schemas.ToolTransitionPartner, 1, runs.StepUpdate)
		if plan.Strategy = test.strategy; test.strategy == replace {
			plan.Rows[0].Steps = []runs.Step{runs.StepRemove, runs.StepReplace}
		}
		if _, err := g.RulePlan(t.Context(), &plan, by("stdio")); err != nil {
			t.Fatal(err)
		}
		if denied := plan.Rows[0].Finding == guard.FindingDenied; denied != test.denied || denied != (len(plan.Rows[0].Steps) == 0) {
			t.Errorf("%s: %+v", name, plan.Rows[0])
		}
	}
}

func TestPolicyChecksReplacedIDOfUpdate(t *testing.T) {
	t.Parallel()
	g := newGuard(t, guard.Options{Rules: []access.Rule{
		{Name: "ours", PartnerIDs: []string{"1234567"}, Ruling: access.RulingRequester}, {Name: "theirs", PartnerIDs: []string{"7654321"}, Ruling: access.RulingDeny},
	}})
	if _, err := g.Admit(t.Context(), intent(schemas.ToolUpdatePartner).Subject(by("stdio"))); codeOf(err) != problems.CodePolicyDenied {
		t.Errorf("an ID that must not be touched was overwritten: %v", err)
	}
}

func TestPlanCoversOnlyItsFirstRows(t *testing.T) {
	t.Parallel()
	g := newGuard(t, guard.Options{AllowWrites: true})
	plan := manyPlan(schemas.ToolEnsurePartnerLinks, 8, runs.StepCreate)
	plan.First = 2
	if _, err := g.RulePlan(t.Context(), &plan, by("stdio")); err != nil {
		t.Fatal(err)
	}
	if requests, rows := plan.Writes(); requests != 2 || rows != 2 || plan.Rows[4].Finding != guard.FindingBeyondFirst || len(plan.Rows[4].Steps) != 0 {
		t.Errorf("%d requests in %d rows: %+v", requests, rows, plan.Rows)
	}
	plan.Rows[0].Company = "Contoso\u202e Ltd"
	if facts := guard.PlanQuestion(plan).Facts; !strings.HasPrefix(facts[0].Value, "Contoso Ltd (tenant-0), tenant-") {
		t.Errorf("%+v", facts)
	}
	if text := guard.PlanQuestion(plan).Text; !strings.Contains(text, "in 2 tenants?") || !strings.Contains(text, "It covers only the first 2 rows.") {
		t.Error(text)
	}
}

func TestEmptyListIsRefused(t *testing.T) {
	t.Parallel()
	none := []string{}
	for name, o := range map[string]access.Settings{
		"tools": {Bounds: access.Bounds{Tools: none}}, "tenants": {Bounds: access.Bounds{Tenants: none}}, "partner IDs": {Bounds: access.Bounds{PartnerIDs: none}},
		"operations of a rule": {Rules: []access.Rule{{Operations: none, Ruling: access.RulingRequester}}}, "tenants of a rule": {Rules: []access.Rule{{Tenants: none, Ruling: access.RulingRequester}}},
		"partner IDs of a rule": {Rules: []access.Rule{{PartnerIDs: none, Ruling: access.RulingRequester}}}, "callers of a rule": {Rules: []access.Rule{{Callers: none, Ruling: access.RulingRequester}}},
	} {
		if _, err := access.NewPolicy(o); codeOf(err) != problems.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	granted := access.FullGrant()
	granted.Tools = none
	if granted.Allows(operation(t, schemas.ToolCheckPartnerLink)) {
		t.Error("a grant with an empty list of tools allows one")
	}
	granted.PartnerIDs = none
	if granted.AllowsPartner("1234567") {
		t.Error("a grant with an empty list of partner IDs allows one")
	}
}

func TestUnmatchedTenantNamesAreReported(t *testing.T) {
	t.Parallel()
	policy, err := access.NewPolicy(access.Settings{
		Bounds: access.Bounds{Tenants: []string{"con*", "nowhere"}},
		Rules:  []access.Rule{{Name: "closed", Tenants: []string{"label:Closed", "label:absent", "CAFÉ", "fabrikan"}, Ruling: access.RulingDeny}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := policy.Warnings([]schemas.Tenant{{Name: "contoso", Labels: []string{"closed"}}, {Name: norm.NFD.String("café")}})
	want := []string{
		`--tenants names the tenant "nowhere", which matches no tenant of the directory.`,
		`The policy's rule "closed" names the label "absent", which matches no tenant of the directory.`,
		`The policy's rule "closed" names the tenant "fabrikan", which matches no tenant of the directory.`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := access.UnmatchedNames("--tenants", []string{access.AllTenants}, nil); len(got) != 0 {
		t.Errorf("all tenants of an empty directory are a typing error: %q", got)
	}
}

// world is what FuzzAdmit draws: who may do what, and a request.
type world struct {
	rand    *rand.Rand
	options guard.Options
	subject access.Subject
}

func (w *world) one(of ...string) string { return of[w.rand.IntN(len(of))] }

// some returns up to two of a list, and mostly no list.
func (w *world) some(of ...string) []string {
	if w.rand.IntN(4) != 0 {
		return nil
	}
	return []string{w.one(of...), w.one(of...)}
}

func (w *world) most(of ...string) []string {
	if w.rand.IntN(2) == 0 {
		return nil
	}
	return []string{w.one(of...), w.one(of...)}
}

func (w *world) name() string { return w.one(spellings()[w.rand.IntN(3)]...) }

func (w *world) patterns() []string {
	return w.some(w.name(), w.name(), w.one("*", "c*", "*ce", "con?oso", "[cz]*", "label:Gold", "label:ｇｏｌｄ", "none"))
}

func (w *world) draw() {
	ids := []string{"1234567", "7654321", "5555555"}
	var tools []string
	for _, op := range schemas.Catalogue() {
		tools = append(tools, op.Name)
	}
	plain := func(list []string) []string {
		return slices.DeleteFunc(list, func(p string) bool { return strings.HasPrefix(p, "label:") })
	}
	bounds := access.Bounds{Tools: w.some(append(tools, tools[0])...), Tenants: plain(w.patterns()), PartnerIDs: w.some(ids...)}
	if len(bounds.Tenants) == 0 {
		bounds.Tenants = nil
	}
	var rules []access.Rule
	for i := range 1 + w.rand.IntN(4) {
		rules = append(rules, access.Rule{
			Name: fmt.Sprint("rule ", i), Operations: w.most(schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner, schemas.ToolTransitionPartner, w.one(tools...), "read", "write", "destroy"),
			Tenants: w.patterns(), PartnerIDs: w.most(append(ids, access.Expected)...),
			Callers: w.some("stdio", "token:*", "oidc:*"), When: answers.LinkState(w.one("", "", "linked", "not_linked")),
			Ruling: access.Ruling(w.one("deny", "ask: requester", "ask: approver")),
		})
	}
	w.options = guard.Options{Bounds: bounds, Rules: rules}
	grant := access.Grant{Scopes: access.Scopes()[:w.rand.IntN(4)], Tools: w.some(tools...), Tenants: append(plain(w.patterns()), w.one("*", w.name())), PartnerIDs: w.some(ids...)}
	if w.rand.IntN(3) > 0 {
		grant = access.FullGrant()
	}
	op, _ := schemas.Lookup(w.one(append(tools, schemas.ToolTransitionPartner, schemas.ToolTransitionPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner)...))
	w.subject = access.Subject{
		Operation: op, By: access.Principal{Caller: access.Caller(w.one("stdio", "token:nightly", "oidc:https://issuer.example/a:b")), Grant: grant},
		Tenant: schemas.Tenant{Name: w.name(), Labels: w.some("gold", "GOLD", "other"), ExpectedPartnerID: partnerid.ID(w.one("", "1234567"))},
	}
	if op.Effect.Writes() {
		w.subject.Method = w.one(http.MethodPut, http.MethodPatch, http.MethodDelete)
		w.subject.PartnerID, w.subject.Current = partnerid.ID(w.one(ids...)), partnerid.ID(w.one(append(ids, "")...))
		w.subject.Link = answers.LinkState(w.one("linked", "not_linked", "deleted", "unknown"))
	}
}

// seenAs is one way in which the rules look at a request.
type seenAs struct {
	op       string
	effect   answers.Effect
	id       partnerid.ID
	link     answers.LinkState
	specific bool
}

// fits is glob matching by regular expressions over folded text.
func fits(pattern, name string) bool {
	var expression strings.Builder
	class := false
	for _, r := range fold(pattern) {
		switch {
		case r == '[':
			class = true
			expression.WriteRune(r)
		case r == ']':
			class = false
			expression.WriteRune(r)
		case class:
			expression.WriteRune(r)
		case r == '*':
			expression.WriteString(`.*`)
		case r == '?':
			expression.WriteString(`.`)
		default:
			expression.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile(`^(?s:` + expression.String() + `)$`).MatchString(fold(name))
}

// fold knows the spellings above, one by one.
func fold(text string) string {
	return strings.NewReplacer("ß", "ss").Replace(strings.ToLower(norm.NFKC.String(text)))
}

func anyFits(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(p, name) })
}

// reference decides as docs/policy.md says, one sentence after the other.
func (w *world) reference() string {
	s, grant, bounds := w.subject, w.subject.By.Grant, w.options.Bounds
	writes := s.Operation.Effect.Writes()
	scope := map[answers.Effect]access.Scope{answers.EffectRead: access.ScopeRead, answers.EffectWrite: access.ScopeWrite, answers.EffectDestroy: access.ScopeChange}[s.Operation.Effect]
	given := slices.Contains(grant.Scopes, scope) ||
		s.Operation.Name == schemas.ToolGetApproval && (slices.Contains(grant.Scopes, access.ScopeWrite) || slices.Contains(grant.Scopes, access.ScopeChange))
	for _, bad := range []bool{
		!given, grant.Tools != nil && !slices.Contains(grant.Tools, s.Operation.Name), bounds.Tools != nil && !slices.Contains(bounds.Tools, s.Operation.Name),
		!anyFits(grant.Tenants, s.Tenant.Name), bounds.Tenants != nil && !anyFits(bounds.Tenants, s.Tenant.Name),
		writes && grant.PartnerIDs != nil && !slices.Contains(grant.PartnerIDs, string(s.PartnerID)), writes && bounds.PartnerIDs != nil && !slices.Contains(bounds.PartnerIDs, string(s.PartnerID)),
	} {
		if bad {
			return "refused"
		}
	}
	answer := ""
	for _, as := range w.views() {
		ruling, specific := w.firstRule(as)
		if answer == "" || ruling == "refused" && specific && as.specific {
			answer = ruling
		}
	}
	return answer
}

// views are the call itself, the single call that sends the same request, and both
// with the ID that is lost.
func (w *world) views() []seenAs {
	s := w.subject
	views := []seenAs{{s.Operation.Name, s.Operation.Effect, s.PartnerID, s.Link, false}}
	if s.Method == "" {
		return views
	}
	single := map[string]seenAs{
		http.MethodPut:    {schemas.ToolRegisterPartner, answers.EffectWrite, s.PartnerID, answers.LinkNotLinked, true},
		http.MethodPatch:  {schemas.ToolUpdatePartner, answers.EffectDestroy, s.PartnerID, answers.LinkLinked, true},
		http.MethodDelete: {schemas.ToolRemovePartner, answers.EffectDestroy, s.PartnerID, answers.LinkLinked, true},
	}[s.Method]
	if single.op != s.Operation.Name {
		views = append(views, single)
	}
	for _, view := range slices.Clone(views) {
		if s.Current != "" && s.Current != s.PartnerID {
			view.id, view.specific = s.Current, true
			views = append(views, view)
		}
	}
	return views
}

func (w *world) firstRule(as seenAs) (ruling string, specific bool) {
	s := w.subject
	for _, r := range w.options.Rules {
		op, _ := schemas.Lookup(as.op)
		named := r.Operations == nil || slices.Contains(r.Operations, as.op) || slices.Contains(r.Operations, string(as.effect))
		for _, does := range op.Does {
			named = named || r.Ruling == access.RulingDeny && slices.Contains(r.Operations, does)
		}
		tenant := r.Tenants == nil || anyFits(r.Tenants, s.Tenant.Name)
		for _, label := range s.Tenant.Labels {
			tenant = tenant || anyFits(r.Tenants, "label:"+label)
		}
		id := r.PartnerIDs == nil || slices.Contains(r.PartnerIDs, string(as.id)) ||
			slices.Contains(r.PartnerIDs, access.Expected) && as.id != "" && as.id == s.Tenant.ExpectedPartnerID
		if !named || !tenant || !id || r.Callers != nil && !anyFits(r.Callers, string(s.By.Caller)) {
			continue
		}
		unlinked := as.link == "not_linked" || as.link == "deleted"
		switch {
		case r.When == "", r.When == as.link, r.When == "not_linked" && unlinked:
			if r.Ruling == access.RulingDeny {
				return "refused", r.PartnerIDs != nil || slices.Contains(r.Operations, as.op)
			}
			return string(r.Ruling), false
		case as.link == "" || as.link == "unknown":
			if s.Operation.Effect.Writes() {
				return "refused", false
			}
			return string(access.RulingDeny), false // nothing was read yet: the call may go on and read
		}
	}
	if s.Operation.Effect.Writes() {
		return "refused", false
	}
	return string(access.RulingAllow), false
}

// FuzzAdmit compares Admit with a slow, obvious reference.
func FuzzAdmit(f *testing.F) {
	for seed := range uint64(3000) {
		f.Add(seed)
	}
	store := ledgertest.New(f, time.Now)
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := &world{rand: rand.New(rand.NewPCG(seed, 1))}
		w.draw()
		w.options.Store = store
		g := newGuard(t, w.options)
		verdict, err := g.Admit(t.Context(), w.subject)
		got := string(verdict.Ruling)
		if err != nil {
			got = "refused"
		}
		if want := w.reference(); got != want {
			t.Errorf("%s (%s, %v), want %s\n%+v\n%+v", got, verdict.Rule, err, want, w.options, w.subject)
		}
	})
}
