package tools_test

import (
	"net/http"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/simulator"
)

// abandon records an intent without an outcome, as a process that died in the
// middle of a write leaves it.
func (h *fixture) abandon(tool, tenant, partnerID string, before guard.LinkSnapshot, age time.Duration) {
	h.t.Helper()
	truth := h.tenant(tenant)
	_, err := h.store.Append(h.t.Context(), guard.Event{Time: time.Now().Add(-age), Kind: guard.KindIntent, Intent: guard.Intent{
		Caller: "test", Tool: tool, PartnerID: partnerid.ID(partnerID), Before: before,
		Identity: answers.Identity{TenantID: truth.TenantID, Tenant: tenant, ObjectID: truth.ObjectID, Cloud: "custom", Credential: "app"},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestReconcileRecordsOutcomeOfAbandonedWrites(t *testing.T) {
	t.Parallel()
	none := guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}
	for name, test := range map[string]struct {
		tool, linked string
		before       guard.LinkSnapshot
		want         string
	}{
		"register happened":  {tool: schemas.ToolRegisterPartner, linked: "1234567", before: none, want: "applied"},
		"register did not":   {tool: schemas.ToolRegisterPartner, before: none, want: "not_applied"},
		"somebody else's ID": {tool: schemas.ToolRegisterPartner, linked: "7654321", before: none, want: "unknown"},
		"update happened": {
			tool: schemas.ToolUpdatePartner, linked: "1234567",
			before: guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "7654321", Version: 0}, want: "applied",
		},
		"update, others wrote": {
			tool: schemas.ToolUpdatePartner, linked: "1234567",
			before: guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "7654321", Version: 5}, want: "unknown",
		},
		"removal happened": {
			tool: schemas.ToolRemovePartner, before: guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "1234567", Version: 3},
			want: "applied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, simulator.Config{Tenants: 1}, nil)
			if test.linked != "" {
				h.link("contoso", test.linked)
			}
			h.abandon(test.tool, "contoso", "1234567", test.before, time.Hour)
			closed, err := h.service.Reconcile(t.Context())
			if err != nil || closed != 1 {
				t.Fatalf("%d closed, %v", closed, err)
			}
			last := h.store.Events()[len(h.store.Events())-1]
			if last.Kind != guard.KindOutcome || last.Of != 1 || last.Result != test.want {
				t.Errorf("%+v, want %s", last, test.want)
			}
			if again, _ := h.service.Reconcile(t.Context()); again != 0 || h.writes() != 0 {
				t.Errorf("%d closed again, %d writes", again, h.writes())
			}
		})
	}
}

// What another write followed may be that one's doing.
func TestReconcileIgnoresLaterWrites(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, unasked)
	h.abandon(schemas.ToolRegisterPartner, "contoso", "1234567", guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, time.Hour)
	if envelope := h.call(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`); envelope.Status != answers.StatusDone {
		t.Fatalf("%+v", envelope)
	}
	if closed, err := h.service.Reconcile(t.Context()); closed != 1 || err != nil {
		t.Fatalf("%d closed, %v", closed, err)
	}
	if last := h.store.Events()[len(h.store.Events())-1]; last.Result != "unknown" || last.Of != 1 {
		t.Errorf("%+v", last)
	}
}

func TestReconcileLeavesUndecidableWritesOpen(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	none := guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}
	h.abandon(schemas.ToolRegisterPartner, "contoso", "1234567", none, time.Second) // may still be at work
	h.abandon(schemas.ToolRegisterPartner, "fabrikam", "1234567", none, time.Hour)
	h.inject("fabrikam", simulator.Rule{Kind: simulator.FaultHTML, Method: http.MethodGet})
	if closed, err := h.service.Reconcile(t.Context()); closed != 0 || err != nil {
		t.Errorf("%d closed, %v", closed, err)
	}
}
