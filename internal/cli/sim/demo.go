package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// NewCmdDemo builds `demo`.
func NewCmdDemo(deps *cmdutil.Deps) *cobra.Command {
	var withConsole bool
	command := &cobra.Command{
		Use:   "demo",
		Short: "Run a session of an agent against a simulated Azure",
		RunE: func(command *cobra.Command, _ []string) error {
			if withConsole {
				return runConsole(command.Context(), deps)
			}
			return runDemo(command.Context(), deps)
		},
	}
	command.Flags().BoolVar(&withConsole, "console", false, "serve the web console instead, with an approval to decide")
	return command
}

func runDemo(ctx context.Context, deps *cmdutil.Deps) error {
	simulated, err := app.StartSimulation(ctx, app.SimulationOptions{Tenants: cmdutil.DefaultSimulated}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	a, err := deps.Open(simulated)
	if err != nil {
		return errors.Join(err, simulated.Server.Close())
	}
	defer a.Close()
	if err := simulated.Stage(unlinked, linked, foreignID); err != nil {
		return err
	}
	// The demo shows the program as it comes, and not somebody's configuration.
	decider, err := guard.New(guard.Options{AllowWrites: true, Simulated: true, Store: a.GuardStore(), Bounds: access.Bounds{PartnerIDs: []string{ourID, otherID}}})
	if err != nil {
		return err
	}
	return playDemo(ctx, deps, a.Service(decider), &demo{ui: deps.IO.UI(), world: simulated})
}

// playDemo joins client and server by two pipes, as a client's process would.
func playDemo(ctx context.Context, deps *cmdutil.Deps, service *tools.Service, d *demo) error {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- deps.ServeStdio(ctx, service, serverIn, serverOut)
		_ = serverOut.Close() // a pipe in memory
	}()
	d.client = client.NewClient(transport.NewIO(clientIn, clientOut, io.NopCloser(strings.NewReader(""))), client.WithElicitationHandler(d))
	err := errors.Join(d.play(ctx, script()), d.client.Close())
	_ = clientOut.Close() // the end of the server's input
	return errors.Join(err, <-served)
}

// demo is an MCP client and the person in front of it.
type demo struct {
	ui     *term.UI
	client *client.Client
	world  *app.Simulation
	// types is what the person types next, "" closes the form; asked is what the form said.
	types, asked string
}

// Elicit implements the client's handler for questions of the server.
func (d *demo) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	d.asked = request.Params.Message
	answer := mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionDecline}
	if d.types != "" {
		answer = mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept, Content: map[string]any{"confirmation": d.types}}
	}
	return &mcp.ElicitationResult{ElicitationResponse: answer}, nil
}

// play goes through every step, then returns an error that names the first wrong one.
func (d *demo) play(ctx context.Context, steps []step) (first error) {
	d.ui.Line(term.Bold, "mcp-partner demo")
	d.ui.Line(term.Dim, "A simulated Azure in this process, the real server, a real MCP client, a stdio pipe between them.")
	if err := d.client.Start(ctx); err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	found, err := d.client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{ClientInfo: mcp.Implementation{Name: "mcp-partner-demo", Version: "1"}}})
	if err != nil {
		return fmt.Errorf("discover the server: %w", err)
	}
	d.ui.Field("server", found.ServerInfo.Name+", protocol "+found.ProtocolVersion)
	for i, step := range steps {
		d.ui.Blank()
		d.ui.Linef(term.Bold, "%2d. %s", i+1, step.says)
		if err := d.take(ctx, step); err != nil {
			d.ui.StyledField("not ok", term.Bad, err.Error())
			if first == nil {
				first = fmt.Errorf("step %d (%s): %w", i+1, step.says, err)
			}
			continue
		}
		d.ui.StyledField("ok", term.Good, step.note)
	}
	if first == nil {
		d.ui.Blank()
		d.ui.Linef(term.Good, "All %d steps ended as they should.", len(steps))
	}
	return first
}

// take calls the tool of a step and compares the answer with the expected one.
func (d *demo) take(ctx context.Context, step step) error {
	if step.before != nil {
		step.before(d.world)
	}
	arguments, err := json.Marshal(step.args)
	if err != nil {
		return err
	}
	d.ui.StyledField("call", term.Dim, step.tool+" "+string(arguments))
	d.types, d.asked = step.types, ""
	e, err := d.call(ctx, step)
	if err != nil {
		return err
	}
	d.show(e)
	if got := outcome(e); e.Status != step.status || got != step.outcome {
		return fmt.Errorf("the answer is %s with %q; it should be %s with %q", e.Status, got, step.status, step.outcome)
	}
	return nil
}

func (d *demo) call(ctx context.Context, step step) (e answers.Envelope, err error) {
	result, err := d.client.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: step.tool, Arguments: step.args}})
	if err != nil {
		return e, err
	}
	for _, content := range result.Content {
		if text, ok := content.(mcp.TextContent); ok {
			return e, json.Unmarshal([]byte(text.Text), &e)
		}
	}
	return e, errors.New("the answer has no text")
}

func (d *demo) show(e answers.Envelope) {
	if d.asked != "" {
		label := "asks"
		for line := range strings.SplitSeq(d.asked, "\n") {
			d.ui.Field(label, line)
			label = ""
		}
		d.ui.Field("typed", d.types)
	}
	d.ui.StyledField(string(e.Status), render.StatusStyle(e.Status), e.Summary)
	for _, link := range []*answers.Link{e.Link, e.After} {
		if link != nil {
			d.ui.Field("link", render.LinkText(link))
		}
	}
	if e.Problem != nil {
		d.ui.Field("problem", string(e.Problem.Code)+": "+problems.NextStep(e.Problem.Hint, e.Problem.Command))
	}
}

// The tenants of the demo: one without a link, one with a link to foreignID, and one
// that is garbled. The partner IDs are made up.
const (
	unlinked, linked, broken  = "contoso", "fabrikam", "northwind"
	foreignID, ourID, otherID = "7654321", "1234567", "2345678"
)

// step is a request of a person and its expected result.
type step struct {
	says string
	// before prepares the world; nil does nothing.
	before func(*app.Simulation)
	tool   string
	args   map[string]any
	// types is what the person types when asked.
	types string
	// status and outcome say how the step should end.
	status  answers.Status
	outcome string
	// note says what the step shows.
	note string
}

// outcome is the one word of an answer by which a step is judged.
func outcome(e answers.Envelope) string {
	switch {
	case e.Link != nil && e.Link.AuditState != "":
		return string(e.Link.AuditState)
	case e.Link != nil:
		return string(e.Link.State)
	case e.Problem != nil:
		return string(e.Problem.Code)
	case e.After != nil && e.After.State == answers.LinkLinked:
		return string(e.After.PartnerID)
	case e.After != nil:
		return string(e.After.State)
	case len(e.Matches) > 0:
		return e.Matches[0].Tool
	case len(e.Tenants) > 0:
		return e.Tenants[0].Name
	}
	return ""
}

// script is the session, in the order of a partner's work.
func script() []step {
	const question = "Ist unsere Partner-ID bei " + unlinked + " hinterlegt?"
	of := func(tenant string) map[string]any { return map[string]any{"tenant": tenant} }
	at := func(tenant, id string) map[string]any { return map[string]any{"tenant": tenant, "partner_id": id} }
	return []step{
		{says: "Which tenants do we manage?", tool: schemas.ToolListTenants, args: map[string]any{"limit": 5},
			status: answers.StatusDone, outcome: "adventure-works", note: "the directory, inside the server's bounds"},
		{says: question, tool: schemas.ToolFindPartnerTool, args: map[string]any{"query": question},
			status: answers.StatusDone, outcome: schemas.ToolCheckPartnerLink, note: "intent search: the right tool, in any language; nothing is run"},
		{says: fmt.Sprintf("Is our link in place at %s?", unlinked), tool: schemas.ToolCheckPartnerLink, args: of(unlinked),
			status: answers.StatusDone, outcome: string(answers.LinkNotLinked), note: "this identity has no link; others may have one"},
		{says: fmt.Sprintf("Register %s there.", ourID), tool: schemas.ToolRegisterPartner, args: at(unlinked, ourID), types: ourID,
			status: answers.StatusDone, outcome: ourID, note: "planned by a read, confirmed by a person, read back"},
		{says: fmt.Sprintf("Is the ID at %s ours?", unlinked), tool: schemas.ToolCheckPartnerLink, args: of(unlinked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedExpected), note: "own ID: one of the partner's own, from the setting partner-ids"},
		{says: fmt.Sprintf("And the one at %s?", linked), tool: schemas.ToolCheckPartnerLink, args: of(linked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedOther), note: "others' ID: linked, and to another partner"},
		{says: "Register it again.", tool: schemas.ToolRegisterPartner, args: at(unlinked, ourID),
			status: answers.StatusUnchanged, outcome: ourID, note: "nothing to do: nobody is asked, nothing is sent"},
		{says: fmt.Sprintf("No: replace it with %s.", otherID), tool: schemas.ToolUpdatePartner, args: at(unlinked, otherID), types: otherID,
			status: answers.StatusDone, outcome: otherID, note: "before and after, version by version"},
		{says: "Remove it. (The person closes the form.)", tool: schemas.ToolRemovePartner, args: at(unlinked, otherID),
			status: answers.StatusRefused, outcome: string(problems.CodeApprovalDeclined), note: "declined, closed or silent: nothing is written"},
		{says: "Remove it after all.", tool: schemas.ToolRemovePartner, args: at(unlinked, otherID), types: unlinked,
			status: answers.StatusDone, outcome: string(answers.LinkNotLinked), note: "a removal asks for the tenant's name"},
		{says: "Register 12345ab there.", tool: schemas.ToolRegisterPartner, args: at(unlinked, "12345ab"),
			status: answers.StatusRefused, outcome: string(problems.CodeInvalidPartnerID), note: "a mistake is refused before anything is read"},
		{says: fmt.Sprintf("Register %s at %s, which has another partner.", ourID, linked), tool: schemas.ToolRegisterPartner, args: at(linked, ourID),
			status: answers.StatusRefused, outcome: string(problems.CodeAlreadyLinked), note: "registering never overwrites; the answer names the next step"},
		{says: fmt.Sprintf("Check %s. (ARM throttles.)", linked), before: func(s *app.Simulation) { s.Throttle(linked, 1, time.Second) },
			tool: schemas.ToolCheckPartnerLink, args: of(linked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedOther), note: "429, one second of Retry-After waited for, then the answer"},
		{says: fmt.Sprintf("Check %s. (A gateway answers in HTML.)", broken), before: func(s *app.Simulation) { s.Garble(broken) },
			tool: schemas.ToolCheckPartnerLink, args: of(broken),
			status: answers.StatusFailed, outcome: string(answers.LinkUnknown), note: "the answer is unknown, and never \"not linked\""},
	}
}
