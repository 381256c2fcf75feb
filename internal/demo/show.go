package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// show plays a script.
type show struct {
	Options
	client *client.Client
	person *person
}

func (s *show) say(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		s.UI.Write(term.Wrap(line, s.UI.Width, len(line)-len(strings.TrimLeft(line, " "))+2) + "\n")
	}
}

func (s *show) run(ctx context.Context, steps []step) error {
	s.say("%s", s.UI.Paint(term.Bold, "mcp-partner demo"))
	s.say("%s\n", s.UI.Paint(term.Dim, "A simulated Azure in this process, the real server, a real MCP client, a stdio pipe between them."))
	if err := s.connect(ctx); err != nil {
		return err
	}
	var first error
	for i, step := range steps {
		err := s.play(ctx, i+1, step)
		if err != nil && first == nil {
			first = fmt.Errorf("step %d (%s): %w", i+1, step.says, err)
		}
	}
	if first == nil {
		s.say("%s", s.UI.Paint(term.Good, fmt.Sprintf("All %d steps ended as they should.", len(steps))))
	}
	return first
}

// connect discovers the server and lists its tools, as any client does.
func (s *show) connect(ctx context.Context) error {
	found, err := s.client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ClientInfo: mcp.Implementation{Name: "mcp-partner-demo", Version: "1"},
	}})
	if err != nil {
		return fmt.Errorf("discover the server: %w", err)
	}
	s.say("%s %s, protocol %s", s.UI.Paint(term.Bold, "discover"), found.ServerInfo.Name, found.ProtocolVersion)
	list, err := s.client.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return fmt.Errorf("list the tools: %w", err)
	}
	s.say("%s", s.UI.Paint(term.Bold, "tools"))
	for _, tool := range list.Tools {
		op, _ := schemas.Lookup(tool.Name)
		s.say("  %s %s", s.UI.Paint(effects[op.Effect], fmt.Sprintf("%-8s", op.Effect)), tool.Name)
	}
	s.say("")
	if len(list.Tools) != len(schemas.Catalogue()) {
		return fmt.Errorf("%d tools are listed, and the catalogue has %d", len(list.Tools), len(schemas.Catalogue()))
	}
	return nil
}

// effects color what a tool may do.
var effects = map[answers.Effect]term.Style{answers.EffectRead: term.Good, answers.EffectWrite: term.Warn, answers.EffectDestroy: term.Bad}

// play calls one tool and compares the answer with the expected one.
func (s *show) play(ctx context.Context, number int, step step) error {
	s.say("%s", s.UI.Paint(term.Bold, fmt.Sprintf("%2d. %s", number, step.says)))
	if step.before != nil {
		step.before(s.World)
	}
	arguments, _ := json.Marshal(step.args)
	s.say("    %s %s", s.UI.Paint(term.Dim, "call"), s.UI.Paint(term.Dim, step.tool+" "+string(arguments)))
	s.person.types, s.person.asked = step.types, ""
	envelope, err := s.call(ctx, step)
	if err != nil {
		s.say("    %s", s.UI.Paint(term.Bad, err.Error()))
		return err
	}
	s.answer(step, envelope)
	return s.judge(step, envelope)
}

func (s *show) call(ctx context.Context, step step) (answers.Envelope, error) {
	var envelope answers.Envelope
	result, err := s.client.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: step.tool, Arguments: step.args}})
	if err != nil {
		return envelope, err
	}
	if len(result.Content) == 0 {
		return envelope, fmt.Errorf("the answer has no content")
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		return envelope, fmt.Errorf("the answer is no text")
	}
	return envelope, json.Unmarshal([]byte(text.Text), &envelope)
}

func (s *show) answer(step step, e answers.Envelope) {
	if s.person.asked != "" {
		s.say("    %s %s", s.UI.Paint(term.Warn, "asks"), strings.ReplaceAll(s.person.asked, "\n", "\n         "))
		s.say("    %s %s", s.UI.Paint(term.Warn, "typed"), cmp.Or(step.types, "(nothing: the form was closed)"))
	}
	s.say("    %s %s", s.UI.Paint(render.StatusStyle(e.Status), string(e.Status)), e.Summary)
	if len(e.Matches) > 0 && (e.OutOfScope == nil || e.OutOfScope.Out == nil) {
		match := e.Matches[0]
		arguments, _ := json.Marshal(match.Arguments)
		s.say("    %s %s %s", s.UI.Paint(term.Dim, "match"), match.Tool, arguments)
	}
	for _, row := range e.Tenants {
		s.say("    %s %s  %s", s.UI.Paint(term.Dim, "tenant"), row.Name, s.UI.Paint(term.Dim, row.TenantID))
	}
	if e.Before != nil && e.After != nil && e.Status == answers.StatusDone {
		s.say("    %s %s -> %s", s.UI.Paint(term.Dim, "link"), words(*e.Before), words(*e.After))
	} else if e.Link != nil {
		s.say("    %s %s", s.UI.Paint(term.Dim, "link"), words(*e.Link))
	}
	if e.Problem != nil {
		s.say("    %s %s: %s", s.UI.Paint(term.Dim, "problem"), e.Problem.Code, problems.NextStep(e.Problem.Hint, e.Problem.Command))
	}
}

func (s *show) judge(step step, e answers.Envelope) error {
	var err error
	if e.Status != step.status {
		err = fmt.Errorf("the status is %s and should be %s", e.Status, step.status)
	} else {
		err = step.check(e)
	}
	if err != nil {
		s.say("    %s\n", s.UI.Paint(term.Bad, "not as it should be: "+err.Error()))
		return err
	}
	s.say("    %s %s\n", s.UI.Paint(term.Good, "ok"), s.UI.Paint(term.Dim, step.note))
	return nil
}

func words(link answers.Link) string {
	text := string(link.State)
	if link.State == answers.LinkLinked {
		text = fmt.Sprintf("%s (%s)", link.PartnerID, link.PartnerName)
	}
	if link.Version != nil {
		text += fmt.Sprintf(", version %d", *link.Version)
	}
	return text
}
