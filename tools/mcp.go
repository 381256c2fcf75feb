package tools

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/guard"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// Register adds the tools, resources and prompts of the service to an MCP
// server. Requests must carry a principal, set by WithRequest.
func (s *Service) Register(m *mcpserver.MCPServer) {
	for _, op := range schemas.Catalogue() {
		tool := definition(op)
		if op.Effect.Writes() && !s.deps.Guard.WritesAllowed() {
			tool.Description = writesOff + tool.Description
		}
		m.AddTool(tool, s.toolHandler(m, op.Name))
	}
	s.addResources(m)
	for _, prompt := range prompts() {
		m.AddPrompt(prompt, func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return answerPrompt(prompt, request.Params.Arguments)
		})
	}
}

// List is the answer to tools/list of a server on which writes are allowed.
func List() mcp.ListToolsResult {
	return mcp.ListToolsResult{Tools: xslices.Map(schemas.Catalogue(), definition)}
}

// definition is the operation as tools/list shows it. All four hints are set,
// because a client takes an absent one for the dangerous value.
func definition(op schemas.Operation) mcp.Tool {
	published := op.Published()
	return mcp.Tool{
		Name: op.Name, Title: op.Title, Description: op.Description(),
		RawInputSchema: published.Input, RawOutputSchema: published.Output,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    new(!op.Effect.Writes()),
			DestructiveHint: new(op.Effect == answers.EffectDestroy),
			IdempotentHint:  new(true),
			OpenWorldHint:   new(op.Azure()),
		},
	}
}

func raw(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic("tools: " + err.Error()) // the catalogue is fixed, and a test marshals all of it
	}
	return text
}

func (s *Service) toolHandler(m *mcpserver.MCPServer, name string) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result := s.Call(ctx, Call{
			Tool: name, Arguments: request.Params.RawArguments, Principal: RequestOf(ctx).Principal,
			Confirmer: confirmerOf(ctx, m, request), Progress: progressOf(ctx, request),
		})
		if result.Elicitation != nil {
			asked := mcpserver.NewInputRequestBuilder(string(result.Elicitation.Seal))
			return asked.Elicit(questionKey, form(result.Elicitation.Question)).ToolResult(), nil
		}
		return toolResult(result.Envelope), nil
	}
}

// toolResult wraps an envelope: structured, and as the same JSON in text for
// clients that read only that.
func toolResult(envelope answers.Envelope) *mcp.CallToolResult {
	text := raw(envelope)
	return &mcp.CallToolResult{
		Content:           []mcp.Content{mcp.NewTextContent(string(text))},
		StructuredContent: json.RawMessage(text),
		IsError:           envelope.Status.IsError(),
	}
}

// progressOf notifies on the request's own stream, where the client gave a
// token to notify with.
func progressOf(ctx context.Context, request mcp.CallToolRequest) Progress {
	notifier := RequestOf(ctx).Notifier
	if notifier == nil || request.Params.Meta == nil || request.Params.Meta.ProgressToken == nil {
		return nil
	}
	token := request.Params.Meta.ProgressToken
	return func(step, total int, message string) {
		// A client that is gone misses its progress, and the call goes on.
		_ = notifier.Notify("notifications/progress", mcp.ProgressNotificationParams{
			ProgressToken: token, Progress: float64(step), Total: float64(total), Message: message,
		})
	}
}

const (
	// questionKey names the one question of a call in a multi-round trip.
	questionKey = "confirm"
	// typedField is the one field of the form.
	typedField = "confirmation"
)

// InBandSession is a session over which a person can be asked in the middle of
// a call. Only a transport with one client at the other end says yes: over
// stateless HTTP nobody knows whose screen the form would reach.
type InBandSession interface {
	mcpserver.SessionWithElicitation
	mcpserver.SessionWithClientInfo
	// AsksInBand reports whether RequestElicitation can reach the client.
	AsksInBand() bool
}

// confirmerOf finds out how the person behind a call can be asked. A client that
// did not declare elicitation is never asked.
func confirmerOf(ctx context.Context, m *mcpserver.MCPServer, request mcp.CallToolRequest) Confirmer {
	if mcpserver.IsModernRequest(ctx) {
		info := mcpserver.RequestProtocolInfoFromContext(ctx)
		return elicitationConfirmer{params: request.Params.MultiRoundTripParams, elicits: elicits(info.ClientCapabilities)}
	}
	session, ok := mcpserver.ClientSessionFromContext(ctx).(InBandSession)
	if !ok || !session.AsksInBand() {
		return NoConfirmer{}
	}
	if capabilities := session.GetClientCapabilities(); !elicits(&capabilities) {
		return NoConfirmer{}
	}
	return sessionConfirmer{server: m}
}

// elicits reports whether a client shows forms. An empty capability means
// forms, because it is older than the choice between forms and URLs.
func elicits(capabilities *mcp.ClientCapabilities) bool {
	if capabilities == nil || capabilities.Elicitation == nil {
		return false
	}
	return capabilities.Elicitation.Form != nil || capabilities.Elicitation.URL == nil
}

// elicitationConfirmer answers in a second call, as protocol 2026-07-28 has it.
type elicitationConfirmer struct {
	params  mcp.MultiRoundTripParams
	elicits bool
}

// Resume implements Confirmer. Whatever came with the call is handed to the
// guard, which knows whether it asked.
func (p elicitationConfirmer) Resume() (guard.Seal, guard.Answer, bool) {
	if p.params.RequestState == "" && len(p.params.InputResponses) == 0 {
		return "", guard.Answer{}, false
	}
	answer := guard.Answer{Action: guard.ActionCancel}
	if result := mcpserver.ElicitationResponse(p.params.InputResponses, questionKey); result != nil {
		answer = answerOf(result.ElicitationResponse)
	}
	return guard.Seal(p.params.RequestState), answer, true
}

func (p elicitationConfirmer) Reachable() bool { return p.elicits }

// Ask implements Confirmer: the question goes out with the result.
func (p elicitationConfirmer) Ask(context.Context, guard.Question, guard.Seal) (guard.Answer, error) {
	return guard.Answer{}, ErrLater
}

// sessionConfirmer is asked by a request of the server's own, on the session's
// stream, while the call waits.
type sessionConfirmer struct {
	NoConfirmer
	server *mcpserver.MCPServer
}

func (sessionConfirmer) Reachable() bool { return true }

// Ask implements Confirmer. How long a form may stay open is the session's to say.
func (p sessionConfirmer) Ask(ctx context.Context, question guard.Question, _ guard.Seal) (guard.Answer, error) {
	result, err := p.server.RequestElicitation(ctx, mcp.ElicitationRequest{Params: form(question)})
	if err != nil {
		return guard.Answer{}, err
	}
	return answerOf(result.ElicitationResponse), nil
}

// answerOf takes the answer out of a form. Anything but the one text field
// that was asked for leaves Typed empty, which confirms nothing.
func answerOf(response mcp.ElicitationResponse) guard.Answer {
	answer := guard.Answer{Action: guard.Action(response.Action)}
	if content, ok := response.Content.(map[string]any); ok && len(content) == 1 {
		answer.Typed, _ = content[typedField].(string)
	}
	return answer
}

func form(question guard.Question) mcp.ElicitationParams {
	message := question.Text
	for _, fact := range question.Facts {
		message += "\n" + fact.Label + ": " + escapeMarkdown(fact.Value)
	}
	return mcp.ElicitationParams{
		Message: message,
		RequestedSchema: map[string]any{
			"type": "object",
			"properties": map[string]any{
				typedField: map[string]any{"type": "string", "title": question.Prompt, "description": "Exactly as shown above; anything else declines."},
			},
			"required": []string{typedField},
		},
	}
}

// escapeMarkdown keeps text of others from being rendered as anything but text,
// where a client renders a question as Markdown: no emphasis, code, HTML or link.
func escapeMarkdown(text string) string {
	var escaped strings.Builder
	for i, r := range text {
		link := strings.HasPrefix(text[i:], "://") || r == '.' && i >= 3 && strings.EqualFold(text[i-3:i], "www")
		if link || strings.ContainsRune("\\`*_{}[]<>~|#&@!", r) {
			escaped.WriteByte('\\')
		}
		escaped.WriteRune(r)
	}
	return escaped.String()
}

// promptTexts are the texts of the prompts by name, with their arguments as
// ${name}. A prompt without its optional argument takes the text that ends in _all.
//
//go:embed prompts
var promptTexts embed.FS

func promptText(name string) string {
	text, err := promptTexts.ReadFile("prompts/" + name + ".md")
	if err != nil {
		panic("tools: " + err.Error()) // a test reads all of them
	}
	return strings.TrimSuffix(string(text), "\n")
}

func argument(name, description string, options ...mcp.ArgumentOption) mcp.PromptOption {
	return mcp.WithArgument(name, append(options, mcp.ArgumentDescription(description))...)
}

func prompts() []mcp.Prompt {
	tenant := argument("tenant", "Tenant name from list_tenants.", mcp.RequiredArgument())
	partner := argument("partner_id", "Your partner ID (MPN ID).", mcp.RequiredArgument())
	return []mcp.Prompt{
		mcp.NewPrompt("claim_tenant", mcp.WithPromptTitle("Claim a tenant"),
			mcp.WithPromptDescription("Link your partner ID in a tenant that has none yet."), tenant, partner),
		mcp.NewPrompt("audit_links", mcp.WithPromptTitle("Audit the links"),
			mcp.WithPromptDescription("Go through all tenants and report what is linked, what is not, and what is unknown."),
			argument("partner_id", "The partner ID that should be linked; default: each tenant's expected one.")),
		mcp.NewPrompt("reseller_transition", mcp.WithPromptTitle("Move links to another partner ID"),
			mcp.WithPromptDescription("Replace one partner ID with another, in one tenant or in all, without a gap."),
			argument("tenant", "Tenant name from list_tenants; default: all tenants."),
			argument("from", "The partner ID that is linked now.", mcp.RequiredArgument()),
			argument("to", "The new partner ID.", mcp.RequiredArgument())),
		mcp.NewPrompt("compliance_check", mcp.WithPromptTitle("Check a tenant for compliance"),
			mcp.WithPromptDescription("Compare what is linked in a tenant with what should be, and say what was not checked."), tenant),
	}
}

func answerPrompt(prompt mcp.Prompt, arguments map[string]string) (*mcp.GetPromptResult, error) {
	name := prompt.Name
	for _, argument := range prompt.Arguments {
		switch {
		case arguments[argument.Name] != "":
		case argument.Required:
			return nil, fmt.Errorf("%w: prompt %s needs the argument %s", mcp.ErrInvalidParams, prompt.Name, argument.Name)
		default:
			name += "_all"
		}
	}
	text := os.Expand(promptText(name), func(argument string) string { return strconv.Quote(arguments[argument]) })
	return mcp.NewGetPromptResult(prompt.Description, []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))}), nil
}

// Instructions is what an agent reads when it connects: what the tools are for,
// which partner IDs are the partner's own, and whether anything can be written.
func (s *Service) Instructions() string {
	own := "\nThe user's own partner IDs are unknown (setting partner-ids): ask before you call a link correct."
	if ids := s.deps.Guard.Bounds().PartnerIDs; len(ids) > 0 {
		own = "\nThe user's own partner IDs: " + strings.Join(ids, ", ") + ". A link to any other ID is another partner's; say so."
	}
	text := promptText("instructions") + own
	if !s.deps.Guard.WritesAllowed() {
		text += "\nWrites are off on this server: register_partner, update_partner and remove_partner are refused, ensure_partner_links and transition_partner only plan. To turn writes on, the user runs: " + s.allowWrites()
	}
	return text
}

// allowWrites is the command with which a person switches writes on for the
// client that started this server.
func (s *Service) allowWrites() string { return s.deps.Command + " install CLIENT -- --allow-writes" }

// writesOff begins the description of a tool that writes, where it cannot.
const writesOff = "Writes are off on this server. "
