package tools_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// reach is what FuzzNothingOutsideIsShownOrWritten draws for one call: who calls,
// under which bounds. It decides by lists alone what lies outside.
type reach struct {
	rand   *rand.Rand
	bounds access.Bounds
	grant  access.Grant
}

func (r *reach) one(of ...string) string { return of[r.rand.IntN(len(of))] }

func (r *reach) some(of []string) []string {
	return []string{r.one(of...), r.one(of...)}
}

func (r *reach) draw(names []string) {
	patterns := append(slices.Clone(names), strings.ToUpper(names[0]), "quagga-[01]", "*-2", "quagga*")
	r.grant = access.FullGrant()
	if r.rand.IntN(2) == 0 {
		r.grant.Tenants = r.some(patterns)
	}
	if len(r.grant.Tenants) == 1 || r.rand.IntN(2) == 0 {
		r.bounds.Tenants = r.some(patterns)
	}
	if r.rand.IntN(2) == 0 {
		r.bounds.PartnerIDs = r.some([]string{oldID, newID})
	}
	if r.rand.IntN(4) == 0 {
		r.grant.PartnerIDs = r.some([]string{oldID, newID})
	}
}

// inside reports whether both lists of tenants have a name.
func (r *reach) inside(name string) bool {
	for _, list := range [][]string{r.grant.Tenants, r.bounds.Tenants} {
		if list != nil && !slices.ContainsFunc(list, func(p string) bool { return p == access.AllTenants || naming.Match(p, name) }) {
			return false
		}
	}
	return true
}

func (r *reach) mayWrite(id string) bool {
	return (r.grant.PartnerIDs == nil || slices.Contains(r.grant.PartnerIDs, id)) && (r.bounds.PartnerIDs == nil || slices.Contains(r.bounds.PartnerIDs, id))
}

// references are what a caller can know of tenants, runs and approvals of others.
type references struct{ tenants, runs, cursors, approvals []string }

// arguments returns a call of any tool with references of any kind.
func (r *reach) arguments(tool string, known references) string {
	tenant, run, cursor, approval := r.one(known.tenants...), r.one(known.runs...), r.one(known.cursors...), r.one(known.approvals...)
	many := r.one(`"partner_id":"`+r.one(oldID, newID)+`"`, `"partner_id":"1234567","tenants":["`+tenant+`"]`, `"run_id":"`+run+`"`,
		`"run_id":"`+run+`","cursor":"`+cursor+`"`, `"run_id":"`+run+`","resume":true`, `"partner_id":"1234567","approval_id":"`+approval+`"`)
	inner := map[string]string{
		schemas.ToolAuditPartnerLinks:      r.one(``, `"tenants":["`+tenant+`"]`, `"run_id":"`+run+`"`, `"run_id":"`+run+`","cursor":"`+cursor+`"`, `"limit":1`, `"include_roles":true`),
		schemas.ToolListTenants:            r.one(``, `"limit":1`, `"discover":true,"tenant":"`+tenant+`"`, `"cursor":"`+cursor+`"`),
		schemas.ToolFindPartnerTool:        `"query":"` + r.one("check ", "register 1234567 at ", "is anything linked at ") + tenant + `"`,
		schemas.ToolGetApproval:            `"approval_id":"` + approval + `"`,
		schemas.ToolEnsurePartnerLinks:     many,
		schemas.ToolTransitionPartner:      r.one(`"from":["7654321"],"to":"1234567"`, `"from":["1234567"],"to":"7654321","strategy":"remove-then-register"`, `"from":["7654321"],"to":"1234567","tenants":["`+tenant+`"]`, strings.ReplaceAll(many, `"partner_id"`, `"to"`)),
		schemas.ToolRegisterPartner:        `"partner_id":"` + r.one(oldID, newID) + `","tenant":"` + tenant + `"`,
		schemas.ToolUpdatePartner:          `"partner_id":"` + r.one(oldID, newID) + `","tenant":"` + tenant + `"`,
		schemas.ToolRemovePartner:          `"partner_id":"` + r.one(oldID, newID) + `","tenant":"` + tenant + `"`,
		schemas.ToolCheckPartnerLink:       `"tenant":"` + tenant + `"`,
		schemas.ToolCheckPECRoles:          `"tenant":"` + tenant + `"`,
		schemas.ToolListProviderOperations: `"tenant":"` + tenant + `"`,
	}[tool]
	return "{" + inner + "}"
}

// FuzzNothingOutsideIsShownOrWritten calls every tool with every kind of reference
// under bounds and grants of all kinds. A tenant outside of them is neither named
// nor asked, and no write carries a partner ID outside.
func FuzzNothingOutsideIsShownOrWritten(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	h := fleetOf(f, 4, person)
	for i := range h.directory.tenants {
		name := fmt.Sprintf("quagga-%d", i)
		h.directory.tenants[i].Name, h.directory.tenants[i].Domains = name, []string{name + ".test"}
	}
	audit, plan := h.call(schemas.ToolAuditPartnerLinks, `{"limit":1}`), h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	single := h.call(schemas.ToolRegisterPartner, `{"tenant":"quagga-0","partner_id":"1234567"}`)
	if audit.NextCursor == "" || plan.Approval == nil || single.Approval == nil {
		f.Fatalf("%+v\n%+v\n%+v", audit, plan, single)
	}
	known := references{[]string{"*", "quagga", "quagga-9"}, []string{audit.RunID}, []string{audit.NextCursor}, []string{plan.Approval.ID, single.Approval.ID}}
	for _, tenant := range h.directory.tenants {
		known.tenants = append(known.tenants, tenant.Name, tenant.TenantID, tenant.Domains[0], tenant.Name[:len(tenant.Name)-1])
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := &reach{rand: rand.New(rand.NewPCG(seed, 2))}
		r.draw(names(h))
		g, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Bounds: r.bounds, Store: h.store})
		if err != nil {
			t.Fatal(err)
		}
		h.hurry(g, time.Nanosecond)
		tool := schemas.Catalogue()[r.rand.IntN(len(schemas.Catalogue()))].Name
		arguments, before := r.arguments(tool, known), len(h.sim.Journal())
		caller := access.Principal{Caller: "test", Grant: r.grant}
		result := h.service.Call(t.Context(), tools.Call{Tool: tool, Arguments: json.RawMessage(arguments), Principal: caller, Confirmer: tools.NoConfirmer{}})
		done, err := h.service.CompletePromptArgument(tools.WithRequest(t.Context(), tools.Request{Principal: caller}), "", mcp.CompleteArgument{Name: "tenant"}, mcp.CompleteContext{})
		if err != nil {
			t.Fatal(err)
		}
		caller.Grant.Scopes = append(slices.Clone(caller.Grant.Scopes), access.ScopeApprove)
		caller.Caller = "oidc:approver"
		waiting, err := h.service.PendingApprovals(t.Context(), caller)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal([]any{result.Envelope, done, waiting})
		if err != nil {
			t.Fatal(err)
		}
		for _, tenant := range h.directory.tenants {
			if r.inside(tenant.Name) {
				continue
			}
			for _, word := range []string{tenant.Name, tenant.TenantID} {
				if strings.Contains(string(shown), word) && !strings.Contains(arguments, word) {
					t.Errorf("%s %s shows %s: %s\n%+v", tool, arguments, word, shown, r)
				}
			}
			for _, request := range h.sim.Journal()[before:] {
				if request.TenantID == tenant.TenantID {
					t.Errorf("%s %s sent %s %s for %s\n%+v", tool, arguments, request.Method, request.Path, tenant.Name, r)
				}
			}
		}
		for _, request := range h.sim.Journal()[before:] {
			if id := path.Base(request.Path); request.Written && !r.mayWrite(id) {
				t.Errorf("%s %s wrote %s %s\n%+v", tool, arguments, request.Method, id, r)
			}
		}
	})
}
