package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

const modern = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":%s`

// wire sends hand-written JSON-RPC to an MCP server that the service is
// registered with.
type wire struct {
	*fixture
	server *mcpserver.MCPServer
	caller access.Caller
	// grant is what the caller was given; nil is everything.
	grant *access.Grant
	// with is who calls, if a test made it.
	with *access.Principal
}

func (w *wire) principal() access.Principal {
	if w.with != nil {
		return *w.with
	}
	if w.grant == nil {
		return trusted(w.caller)
	}
	return access.Principal{Caller: w.caller, Grant: *w.grant}
}

func newWire(t *testing.T, change func(*guard.Options)) *wire {
	t.Helper()
	h := build(t, simulator.Config{Tenants: 3}, change)
	m := mcpserver.NewMCPServer("t", "1", mcpserver.WithToolCapabilities(true), mcpserver.WithResourceCapabilities(false, false),
		mcpserver.WithPromptCapabilities(false), mcpserver.WithCompletions(),
		mcpserver.WithPromptCompletionProvider(h.service), mcpserver.WithResourceCompletionProvider(h.service))
	h.service.Register(m)
	return &wire{fixture: h, server: m, caller: "test"}
}

// answer is a JSON-RPC answer, as far as these tests look into it.
type answer struct {
	Result struct {
		ResultType        string
		IsError           bool
		StructuredContent answers.Envelope
		Content           []struct{ Text string }
		RequestState      string
		InputRequests     map[string]struct {
			Method string
			Params struct {
				Message         string
				RequestedSchema struct{ Properties map[string]any }
			}
		}
		Contents   []struct{ URI, MIMEType, Text string }
		Messages   []struct{ Content struct{ Text string } }
		Completion struct {
			Values []string
			Total  int
		}
		Tools   []json.RawMessage
		Prompts []json.RawMessage
	}
	Error *struct {
		Code    int
		Message string
	}
}

func (w *wire) send(method, params string, capabilities string) answer {
	w.t.Helper()
	meta := fmt.Sprintf(modern, capabilities)
	body := strings.TrimSuffix(strings.TrimSpace(params), "}")
	if len(strings.TrimSpace(body)) > 1 {
		body += ","
	}
	message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s"_meta":{%s}}}`, method, body, meta)
	response := w.server.HandleMessage(tools.WithRequest(context.Background(), tools.Request{Principal: w.principal()}), json.RawMessage(message))
	raw, err := json.Marshal(response)
	if err != nil {
		w.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		w.t.Fatalf("%v in %s", err, raw)
	}
	return a
}

const (
	forms   = `{"elicitation":{}}`
	noForms = `{}`
)

func (w *wire) register(extra, capabilities string) answer {
	w.t.Helper()
	return w.send("tools/call", `{"name":"register_partner","arguments":{"tenant":"contoso","partner_id":"1234567"}`+extra+`}`, capabilities)
}

func TestModernClientsConfirmInASecondCall(t *testing.T) {
	t.Parallel()
	w := newWire(t, nil)
	asked := w.register("", forms)
	if asked.Result.ResultType != string(mcp.ResultTypeInputRequired) || asked.Result.RequestState == "" || w.writes() != 0 {
		t.Fatalf("%+v", asked)
	}
	question := asked.Result.InputRequests["confirm"]
	if !strings.Contains(question.Params.Message, "1234567") || len(question.Params.RequestedSchema.Properties) != 1 {
		t.Errorf("the question: %+v", question)
	}
	state, _ := json.Marshal(asked.Result.RequestState)
	confirm := fmt.Sprintf(`,"requestState":%s,"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":"1234567"}}}`, state)
	done := w.register(confirm, forms)
	if done.Result.StructuredContent.Status != answers.StatusDone || w.linked("contoso") != "1234567" || w.writes() != 1 {
		t.Fatalf("%+v", done)
	}
	if again := w.register(confirm, forms); again.Result.StructuredContent.Status != answers.StatusUnchanged || w.writes() != 1 {
		t.Errorf("replayed: %+v", again.Result.StructuredContent)
	}
	w.sim.ClearLink(w.tenant("contoso").TenantID)
	if again := w.register(confirm, forms); again.Result.StructuredContent.Status != answers.StatusRefused || w.writes() != 1 {
		t.Errorf("replayed after the link is gone: %+v", again.Result.StructuredContent)
	}
}

func TestHostileAnswersWriteNothing(t *testing.T) {
	t.Parallel()
	accept := `"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":"1234567"}}}`
	for name, test := range map[string]struct {
		responses string
		state     func(real string) string
		caller    access.Caller
		code      problems.Code
	}{
		"no state":                {responses: accept, state: func(string) string { return "" }, code: problems.CodeApprovalUnknown},
		"forged state":            {responses: accept, state: func(string) string { return "ap_00.AAAA" }, code: problems.CodeApprovalUnknown},
		"another caller's":        {responses: accept, caller: "other", code: problems.CodeApprovalMismatch},
		"state without an answer": {responses: `"inputResponses":{}`, code: problems.CodeApprovalDeclined},
		"another question's key": {
			responses: `"inputResponses":{"other":{"action":"accept","content":{"confirmation":"1234567"}}}`,
			code:      problems.CodeApprovalDeclined,
		},
		"declined, right text": {
			responses: `"inputResponses":{"confirm":{"action":"decline","content":{"confirmation":"1234567"}}}`,
			code:      problems.CodeApprovalDeclined,
		},
		"accepted, empty": {responses: `"inputResponses":{"confirm":{"action":"accept"}}`, code: problems.CodeApprovalDeclined},
		"accepted, another field": {
			responses: `"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":"1234567","more":1}}}`,
			code:      problems.CodeApprovalDeclined,
		},
		"accepted, a number": {
			responses: `"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":1234567}}}`,
			code:      problems.CodeApprovalDeclined,
		},
		"accepted, reject chosen": {
			responses: `"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":"Reject"}}}`,
			code:      problems.CodeApprovalDeclined,
		},
		"no object": {responses: `"inputResponses":{"confirm":"accept"}`, code: problems.CodeApprovalDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, nil)
			state := w.register("", forms).Result.RequestState
			if test.state != nil {
				state = test.state(state)
			}
			if test.caller != "" {
				w.caller = test.caller
			}
			quoted, _ := json.Marshal(state)
			got := w.register(fmt.Sprintf(`,"requestState":%s,%s`, quoted, test.responses), forms).Result
			if got.StructuredContent.Status != answers.StatusRefused || got.StructuredContent.Problem.Code != test.code || !got.IsError || w.writes() != 0 {
				t.Errorf("%+v, %d writes", got.StructuredContent, w.writes())
			}
		})
	}
}

func TestAnswersForSwappedArguments(t *testing.T) {
	t.Parallel()
	w := newWire(t, nil)
	state, _ := json.Marshal(w.register("", forms).Result.RequestState)
	got := w.send("tools/call", fmt.Sprintf(`{"name":"register_partner","arguments":{"tenant":"fabrikam","partner_id":"1234567"},"requestState":%s,
		"inputResponses":{"confirm":{"action":"accept","content":{"confirmation":"1234567"}}}}`, state), forms)
	if got.Result.StructuredContent.Problem == nil || got.Result.StructuredContent.Problem.Code != problems.CodeApprovalMismatch || w.writes() != 0 {
		t.Errorf("%+v", got.Result.StructuredContent)
	}
}

func TestClientsWithoutFormsGetAnApproval(t *testing.T) {
	t.Parallel()
	w := newWire(t, nil)
	got := w.register("", noForms).Result
	if got.StructuredContent.Status != answers.StatusApprovalRequired || got.IsError || w.writes() != 0 {
		t.Errorf("%+v", got)
	}
	if len(got.Content) != 1 {
		t.Fatalf("%d contents", len(got.Content))
	}
	var text answers.Envelope
	if err := json.Unmarshal([]byte(got.Content[0].Text), &text); err != nil || text.Approval.ID != got.StructuredContent.Approval.ID {
		t.Errorf("the text is not the same JSON: %v", err)
	}
}

func TestRequestWithoutCallerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked)
	w.caller = ""
	if got := w.register("", forms).Result; !got.IsError || w.writes() != 0 || len(w.sim.Journal()) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	w := newWire(t, func(o *guard.Options) { o.Bounds.Tenants = []string{"contoso", "fabrikam"} })
	w.link("contoso", "1234567")
	read := func(uri string) string {
		a := w.send("resources/read", fmt.Sprintf(`{"uri":%q}`, uri), noForms)
		if a.Error != nil || len(a.Result.Contents) != 1 || a.Result.Contents[0].MIMEType == "" {
			t.Fatalf("%s: %+v", uri, a)
		}
		return a.Result.Contents[0].Text
	}
	var envelope answers.Envelope
	if err := json.Unmarshal([]byte(read("partner://tenants")), &envelope); err != nil || len(envelope.Tenants) != 2 {
		t.Errorf("tenants: %v, %+v", err, envelope)
	}
	if err := json.Unmarshal([]byte(read("partner://tenants/contoso/link")), &envelope); err != nil || envelope.Link.PartnerID != "1234567" {
		t.Errorf("link: %v, %+v", err, envelope)
	}
	var outside answers.Envelope
	if err := json.Unmarshal([]byte(read("partner://tenants/adventure-works/link")), &outside); err != nil || outside.Problem == nil || outside.Problem.Code != problems.CodeNotAllowed {
		t.Errorf("outside the bound: %v, %+v", err, outside)
	}
	for _, op := range schemas.Catalogue() {
		var both struct{ Input, Answer map[string]any }
		if err := json.Unmarshal([]byte(read("partner://schemas/"+op.Name)), &both); err != nil || both.Input["type"] != "object" || both.Answer["type"] != "object" {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
	if !strings.Contains(read("partner://docs/pal"), "identity") {
		t.Error("docs/pal says nothing of identities")
	}
	if read("partner://openapi") != string(schemas.OpenAPI()) {
		t.Error("partner://openapi is not the document")
	}
	if a := w.send("resources/read", `{"uri":"partner://schemas/nothing"}`, noForms); a.Error == nil {
		t.Error("a schema of no tool was read")
	}
}

func TestPromptsAndCompletion(t *testing.T) {
	t.Parallel()
	w := newWire(t, func(o *guard.Options) { o.Bounds.Tenants = []string{"contoso", "fabrikam"} })
	for _, test := range []struct{ name, arguments, says string }{
		{name: "claim_tenant", arguments: `{"tenant":"contoso","partner_id":"1234567"}`, says: `our partner ID "1234567" in tenant "contoso".`},
		{name: "audit_links", arguments: `{}`, says: "audit_partner_links with no arguments."},
		{name: "audit_links", arguments: `{"partner_id":"1234567"}`, says: `audit_partner_links with expected_partner_id "1234567".`},
		{name: "reseller_transition", arguments: `{"tenant":"contoso","from":"7654321","to":"1234567"}`, says: `update_partner with partner_id "1234567"`},
		{name: "reseller_transition", arguments: `{"from":"7654321","to":"1234567"}`, says: `transition_partner with from ["7654321"], to "1234567"`},
		{name: "compliance_check", arguments: `{"tenant":"contoso"}`, says: "check_partner_link"},
	} {
		a := w.send("prompts/get", fmt.Sprintf(`{"name":%q,"arguments":%s}`, test.name, test.arguments), noForms)
		if a.Error != nil || len(a.Result.Messages) != 1 || !strings.Contains(a.Result.Messages[0].Content.Text, test.says) {
			t.Errorf("%s %s: %+v", test.name, test.arguments, a)
		}
	}
	if a := w.send("prompts/get", `{"name":"claim_tenant","arguments":{"tenant":"contoso"}}`, noForms); a.Error == nil || !strings.Contains(a.Error.Message, "partner_id") {
		t.Errorf("a missing argument: %+v", a)
	}
	a := w.send("completion/complete", `{"ref":{"type":"ref/prompt","name":"claim_tenant"},"argument":{"name":"tenant","value":"C"}}`, noForms)
	if values := a.Result.Completion.Values; len(values) != 1 || values[0] != "contoso" {
		t.Errorf("completion: %+v", a)
	}
	a = w.send("completion/complete", `{"ref":{"type":"ref/resource","uri":"partner://schemas/{tool}"},"argument":{"name":"tool","value":"reg"}}`, noForms)
	if values := a.Result.Completion.Values; len(values) != 1 || values[0] != "register_partner" {
		t.Errorf("completion: %+v", a)
	}
}
