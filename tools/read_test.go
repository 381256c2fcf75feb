package tools_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

func TestCheckReportsLinkedID(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 4}, nil)
	h.link("contoso", "1234567")
	if err := h.sim.Tombstone(h.tenant("northwind").TenantID); err != nil {
		t.Fatal(err)
	}
	h.directory.tenants[1].ExpectedPartnerID = "1234567" // contoso, in the order of names
	h.directory.tenants[2].ExpectedPartnerID = "1234567" // fabrikam
	for tenant, want := range map[string]struct {
		state   answers.LinkState
		id      string
		matches string
	}{
		"contoso":         {state: answers.LinkLinked, id: "1234567", matches: "true"},
		"fabrikam":        {state: answers.LinkNotLinked, matches: "false"},
		"adventure-works": {state: answers.LinkNotLinked, matches: "nothing expected"},
		"northwind":       {state: answers.LinkNotLinked, matches: "nothing expected"},
	} {
		envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"`+tenant+`"}`)
		matches := "nothing expected"
		if m := envelope.Link.MatchesExpected; m != nil {
			matches = fmt.Sprint(*m)
		}
		if envelope.Status != answers.StatusDone || envelope.Link.State != want.state || string(envelope.Link.PartnerID) != want.id || matches != want.matches {
			t.Errorf("%s: %+v, link %+v", tenant, envelope, envelope.Link)
		}
		truth := h.tenant(tenant)
		if id := envelope.Identity; id == nil || id.TenantID != truth.TenantID || id.ObjectID != truth.ObjectID || id.Tenant != tenant || id.Credential != "app" {
			t.Errorf("%s: identity %+v", tenant, id)
		}
	}
}

func TestCheckFindsATenantByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	tenant := h.tenant("contoso")
	for _, ref := range []string{tenant.Name, tenant.TenantID, tenant.Domain} {
		if envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"`+ref+`"}`); envelope.Status != answers.StatusDone {
			t.Errorf("%s: %+v", ref, envelope)
		}
	}
}

// Whatever stands between the program and a clear answer, it never says that
// nothing is linked.
func TestUnclearAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.FaultKind]problems.Code{
		simulator.FaultHTML:             problems.CodeUnexpectedResponse,
		simulator.FaultEmpty404:         problems.CodeUnexpectedResponse,
		simulator.FaultNamespace404:     problems.CodeProviderUnavailable,
		simulator.FaultServerError:      problems.CodeARMUnavailable,
		simulator.FaultUnauthorized:     problems.CodeUnauthorized,
		simulator.FaultForbidden:        problems.CodeForbidden,
		simulator.FaultWrongTenantToken: problems.CodeWrongTenant,
		simulator.FaultOpaqueToken:      problems.CodeTokenUnreadable,
		simulator.FaultThrottleLong:     problems.CodeThrottled,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := build(t, simulator.Config{Tenants: 1}, nil)
			h.inject("contoso", simulator.Rule{Kind: kind})
			for _, call := range []struct{ tool, arguments string }{
				{schemas.ToolCheckPartnerLink, `{}`}, {schemas.ToolCheckPartnerLink, `{"partner_id":"1234567"}`},
			} {
				envelope := h.call(call.tool, call.arguments)
				if envelope.Status != answers.StatusFailed || envelope.Link == nil || envelope.Link.State != answers.LinkUnknown ||
					envelope.Link.Reason != want || envelope.Problem == nil || envelope.Problem.Code != want {
					t.Errorf("%s: status %s, link %+v, problem %v", call.tool, envelope.Status, envelope.Link, envelope.Problem)
				}
			}
		})
	}
}

func TestThrottledReadRecovers(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.link("contoso", "1234567")
	h.inject("contoso", simulator.Rule{Kind: simulator.FaultThrottleBurst, Times: 1, RetryAfter: time.Second})
	if envelope := h.call(schemas.ToolCheckPartnerLink, `{}`); envelope.Status != answers.StatusDone || envelope.Link.State != answers.LinkLinked {
		t.Errorf("%+v", envelope)
	}
}

func TestCheckPartnerLinkComparesAnID(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	h.link("contoso", "1234567")
	for name, test := range map[string]struct {
		arguments string
		state     answers.LinkState
		matches   bool
	}{
		"the one linked": {arguments: `{"tenant":"contoso","partner_id":"1234567"}`, state: answers.LinkLinked, matches: true},
		"another":        {arguments: `{"tenant":"contoso","partner_id":"7654321"}`, state: answers.LinkLinked},
		"none is linked": {arguments: `{"tenant":"fabrikam","partner_id":"7654321"}`, state: answers.LinkNotLinked},
	} {
		envelope := h.call(schemas.ToolCheckPartnerLink, test.arguments)
		if envelope.Status != answers.StatusDone || envelope.Link.State != test.state || envelope.Link.Matches == nil || *envelope.Link.Matches != test.matches {
			t.Errorf("%s: %+v", name, envelope)
		}
	}
}

func TestPinnedIdentityIsEnforced(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.call(schemas.ToolCheckPartnerLink, `{}`)
	// Without a tenant the list is used, which shows no pins: name it.
	if h.directory.pins["contoso"] != h.tenant("contoso").ObjectID {
		t.Fatalf("pinned %q", h.directory.pins["contoso"])
	}
	h.directory.pins["contoso"] = "99999999-9999-4999-8999-999999999999"
	before := h.sim.Stats().ARMReads
	envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`)
	if envelope.Problem == nil || envelope.Problem.Code != problems.CodeWrongIdentity || h.sim.Stats().ARMReads != before {
		t.Errorf("another identity: %+v", envelope)
	}
}

func TestPinThatCannotBeStoredDoesNotHideTheAnswer(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.directory.broken = true
	if envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`); envelope.Status != answers.StatusDone {
		t.Errorf("%+v", envelope)
	}
}

func TestListProviderOperationsReadsAllPages(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, nil)
	envelope := h.call(schemas.ToolListProviderOperations, `{}`)
	pages := 0
	for _, record := range h.sim.Journal() {
		if record.Op == simulator.OpOperations && record.Status == http.StatusOK {
			pages++
		}
	}
	if envelope.Status != answers.StatusDone || len(envelope.Operations) < 4 || pages < 2 {
		t.Errorf("%d operations from %d pages: %+v", len(envelope.Operations), pages, envelope)
	}
	h.inject("adventure-works", simulator.Rule{Kind: simulator.FaultHTML})
	if envelope := h.call(schemas.ToolListProviderOperations, `{"tenant":"adventure-works"}`); envelope.Status != answers.StatusFailed || envelope.Identity == nil {
		t.Errorf("broken: %+v", envelope)
	}
}

func TestListTenantsPages(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 12}, func(o *guard.Options) { o.Bounds.Tenants = []string{"tenant-*", "contoso", "[f-w]*"} })
	seen, cursor := map[string]bool{}, ""
	for range 10 {
		envelope := h.call(schemas.ToolListTenants, `{"limit":3`+cursor+`}`)
		for _, row := range envelope.Tenants {
			if seen[row.Name] || row.Name == "adventure-works" || !row.InDirectory {
				t.Errorf("row %+v", row)
			}
			seen[row.Name] = true
		}
		if envelope.NextCursor == "" {
			break
		}
		cursor = `,"cursor":"` + envelope.NextCursor + `"`
	}
	if len(seen) != 11 {
		t.Errorf("%d tenants seen: %v", len(seen), seen)
	}
	for _, forged := range []string{"!", "zzz", "Y29udG9zbwB4"} {
		if envelope := h.call(schemas.ToolListTenants, `{"cursor":"`+forged+`"}`); envelope.Problem == nil || envelope.Problem.Code != problems.CodeInvalidArgument {
			t.Errorf("forged cursor %s: %+v", forged, envelope)
		}
	}
	if envelope := h.call(schemas.ToolListTenants, `{"tenant":"contoso"}`); envelope.Status != answers.StatusRefused {
		t.Errorf("a tenant without discover: %+v", envelope)
	}
}

// A caller learns of a credential only with respect to the tenants that it
// sees.
func TestListTenantsCountsTenantsOfACredential(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, func(o *guard.Options) { o.Bounds.Tenants = []string{"contoso", "fabrikam"} })
	h.directory.mu.Lock()
	for i := range h.directory.tenants {
		h.directory.tenants[i].CredentialStatus = []answers.CredentialView{{Name: "app", Kind: "client-secret"}}
	}
	h.directory.mu.Unlock()
	envelope := h.call(schemas.ToolListTenants, `{"limit":1}`)
	if len(envelope.Tenants) != 1 || envelope.Tenants[0].CredentialStatus[0].Tenants != 2 {
		t.Errorf("rows %+v", envelope.Tenants)
	}
}

func TestListTenantsDiscovers(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	envelope := h.call(schemas.ToolListTenants, `{"discover":true,"tenant":"contoso"}`)
	if envelope.Status != answers.StatusDone || len(envelope.Tenants) != 1 || !envelope.Tenants[0].InDirectory || envelope.Tenants[0].Category != "Home" {
		t.Errorf("%+v", envelope)
	}
	if envelope := h.call(schemas.ToolListTenants, `{"discover":true}`); envelope.Problem == nil || envelope.Problem.Code != problems.CodeTenantRequired {
		t.Errorf("no tenant named: %+v", envelope)
	}
	h.inject("contoso", simulator.Rule{Kind: simulator.FaultForbidden})
	if envelope := h.call(schemas.ToolListTenants, `{"discover":true,"tenant":"contoso"}`); envelope.Status != answers.StatusFailed {
		t.Errorf("forbidden: %+v", envelope)
	}
}

func TestHostileNamesStayData(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 5, Faults: []simulator.Fault{{Kind: simulator.FaultHostileNames, Percent: 100}}}, nil)
	for _, tenant := range h.sim.Tenants() {
		h.link(tenant.Name, "1234567")
		envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"`+tenant.Name+`"}`)
		if envelope.Status != answers.StatusDone || len([]rune(envelope.Link.PartnerName)) > untrusted.Limit {
			t.Errorf("%+v", envelope.Link)
		}
		if name := envelope.Link.PartnerName; name != untrusted.Sanitize(name) {
			t.Errorf("not cleaned: %q", name)
		}
		h.call(schemas.ToolListTenants, `{"discover":true,"tenant":"`+tenant.Name+`"}`)
	}
}

func TestAmbiguousTenantIsRefused(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, func(o *guard.Options) { o.Bounds.Tenants = []string{"contoso", "fabrikam"} })
	for name, test := range map[string]struct {
		arguments string
		code      problems.Code
	}{
		"several and none named": {`{}`, problems.CodeTenantRequired},
		"unknown":                {`{"tenant":"nowhere.example"}`, problems.CodeUnknownTenant},
		"unknown or outside":     {`{"tenant":"nowhere"}`, problems.CodeNotAllowed},
		"outside the bound":      {`{"tenant":"adventure-works"}`, problems.CodeNotAllowed},
		"unknown credential":     {`{"tenant":"contoso","credential":"other"}`, problems.CodeUnknownCredential},
		"unknown argument":       {`{"tenent":"contoso"}`, problems.CodeUnknownArgument},
	} {
		envelope := h.call(schemas.ToolCheckPartnerLink, test.arguments)
		if envelope.Status != answers.StatusRefused || envelope.Problem.Code != test.code {
			t.Errorf("%s: %+v", name, envelope.Problem)
		}
	}
}

func TestEmptyDirectoryIsAnsweredAlikeByEveryTool(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.directory.tenants = nil
	for tool, arguments := range map[string]string{
		schemas.ToolCheckPartnerLink: `{}`, schemas.ToolCheckPECRoles: `{"tenant":"contoso"}`, schemas.ToolListProviderOperations: `{}`,
		schemas.ToolListTenants: `{}`, schemas.ToolAuditPartnerLinks: `{}`, schemas.ToolRegisterPartner: `{"tenant":"contoso","partner_id":"1234567"}`,
		schemas.ToolUpdatePartner: `{"partner_id":"1234567"}`, schemas.ToolRemovePartner: `{"partner_id":"1234567"}`,
		schemas.ToolEnsurePartnerLinks: `{"partner_id":"1234567"}`, schemas.ToolTransitionPartner: `{"from":["7654321"],"to":"1234567"}`,
	} {
		for caller, says := range map[access.Caller]string{"all": "The tenant directory of this server is empty.", "few": "This caller has access to no tenant."} {
			p := trusted(caller)
			if caller == "few" {
				p.Grant.Tenants = []string{"contoso"}
			}
			envelope := h.service.Call(t.Context(), tools.Call{Tool: tool, Arguments: []byte(arguments), Principal: p, Confirmer: tools.NoConfirmer{}}).Envelope
			if envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeDirectoryEmpty || envelope.Summary != says || envelope.Problem.Hint == "" {
				t.Errorf("%s for %s: %s %q %+v", tool, caller, envelope.Status, envelope.Summary, envelope.Problem)
			}
		}
	}
}

func TestUnknownToolsAndCallers(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	if envelope := h.call("check_partner_lnk", `{}`); envelope.Problem.Code != problems.CodeUnknownTool || envelope.Problem.Message != `There is no tool "check_partner_lnk": did you mean check_partner_link?` {
		t.Errorf("%+v", envelope.Problem)
	}
}

func TestFindPartnerToolRunsNothing(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	envelope := h.call(schemas.ToolFindPartnerTool, `{"query":"is our partner link in place at contoso?"}`)
	if envelope.Status != answers.StatusDone || len(envelope.Matches) == 0 || envelope.Matches[0].Tool != schemas.ToolCheckPartnerLink {
		t.Errorf("%+v", envelope)
	}
	if envelope.OutOfScope == nil || envelope.OutOfScope.Out != nil {
		t.Errorf("what is in scope is answered with out_of_scope %+v", envelope.OutOfScope)
	}
	if n := len(h.sim.Journal()); n != 0 {
		t.Errorf("a search made %d requests", n)
	}
}

// TestReadsNameIgnoredArguments sends what workflow clients send.
func TestReadsNameIgnoredArguments(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":" contoso ","toolCallId":"call_0","action":"sendMessage"}`)
	if envelope.Status != answers.StatusDone || !slices.Equal(envelope.Ignored, []string{"toolCallId", "action"}) {
		t.Errorf("%+v", envelope)
	}
	if envelope := h.call(schemas.ToolListTenants, `"{\"limit\":\"1\"}"`); len(envelope.Tenants) != 1 || envelope.Ignored != nil {
		t.Errorf("%+v", envelope)
	}
	if envelope := h.call(schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"1234567","toolCallId":"x"}`); envelope.Problem == nil || envelope.Problem.Code != problems.CodeUnknownArgument {
		t.Errorf("%+v", envelope)
	}
}
