package cmdutil

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// OperatorRules are those of a command for the operator: the configured policy,
// and without one that writes wait for an approver, which is what the command
// is about. Bounds hold where they are given. Nothing new is asked here, so
// there is nothing to announce.
func OperatorRules(bounds *GuardFlags) guard.Options {
	rules := guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Announce: func(guard.Ticket) {}}
	if bounds != nil {
		rules.Bounds = bounds.Rules().Bounds
	}
	return rules
}

// OnLedger makes the body of a command of the operator that works on the ledger
// of the state directory.
func (d *Deps) OnLedger(run func(context.Context, *app.Session, []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		session, err := d.OpenSession(OperatorRules(nil))
		if err != nil {
			return err
		}
		defer session.Close()
		return run(command.Context(), session, args)
	}
}

// OnApp makes the body of a command that works on the state directory.
func (d *Deps) OnApp(run func(context.Context, *app.App, []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		a, err := d.Open(nil)
		if err != nil {
			return err
		}
		defer a.Close()
		return run(command.Context(), a, args)
	}
}

// OnVault is OnApp for a command about the vault, which it opens first.
func (d *Deps) OnVault(run func(context.Context, *app.App, []string) error) func(*cobra.Command, []string) error {
	return d.OnApp(func(ctx context.Context, a *app.App, args []string) error {
		if err := a.Open(ctx); err != nil {
			return err
		}
		return run(ctx, a, args)
	})
}

// SessionFlags say in which directory a call is made, and what may be done
// there.
type SessionFlags struct {
	Guard    GuardFlags
	Simulate SimulateFlags
	Fleet    FleetFlags
}

// Unlock opens a vault that a person has to open before anything has a
// deadline: typing a passphrase may take longer than a plan. What goes wrong is
// said by the call itself, in its own answer.
func (d *Deps) Unlock(ctx context.Context, a *app.App, tool string) {
	op, _ := schemas.Lookup(tool)
	if a.KeepsRecord() && d.IO.Attended() && (op.Effect.Writes() || a.NeedsSecret(op)) {
		_ = a.Open(ctx)
	}
}

func (d *Deps) StartSession(ctx context.Context, o *SessionFlags) (*app.Session, error) {
	if err := o.Fleet.Apply(d); err != nil {
		return nil, err
	}
	simulated, err := o.Simulate.Start(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.Open(simulated)
	if err != nil {
		return nil, err
	}
	return d.NewSession(a, o.Guard.Rules())
}

// Record writes into the ledger that somebody changed the directory or the
// vault. The change was made by then, so a record that cannot be written is
// told and undoes nothing. Where there is no vault there is no record.
func (d *Deps) Record(ctx context.Context, a *app.App, kind guard.EventKind, format string, args ...any) {
	d.IO.ChangeMade()
	if !a.KeepsRecord() {
		return
	}
	decider, err := guard.New(guard.Options{Store: a.Ledger, Account: app.Account()})
	if err == nil {
		err = decider.Changed(context.WithoutCancel(ctx), kind, fmt.Sprintf(format, args...))
	}
	if err != nil {
		fmt.Fprintf(d.IO.Err, "mcp-partner: note: the change was made but could not be recorded in the ledger: %s\n", term.Escape(problems.As(err).Message))
	}
}

// RecordSecret records that a secret came into the vault, new or in the place
// of another one.
func (d *Deps) RecordSecret(ctx context.Context, a *app.App, credential string) {
	d.Record(ctx, a, guard.KindSecret, "A secret was stored for the credential %s.", credential)
}

// maxRecordedNames bounds the length of an entry about many tenants.
const maxRecordedNames = 50

// NamesOf lists tenants for the record.
func NamesOf(entries []tenants.Entry) string {
	names := xslices.Map(entries, func(entry tenants.Entry) string { return entry.Name })
	return cmp.Or(strings.Join(phrase.Some(names, maxRecordedNames), ", "), "none")
}

// terminalConfirmer is asked on the terminal device, in the same words in which an
// MCP client would show the question.
type terminalConfirmer struct {
	tools.NoConfirmer
	streams *term.Streams
}

// Confirmer returns the person at the terminal, or no one.
func Confirmer(s *term.Streams) tools.Confirmer {
	if !s.Attended() {
		return tools.NoConfirmer{}
	}
	return terminalConfirmer{streams: s}
}

func (p terminalConfirmer) Reachable() bool {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return false
	}
	return terminal.Close() == nil
}

// Ask implements tools.Confirmer. A terminal that is closed instead of an answer
// is a no.
func (p terminalConfirmer) Ask(ctx context.Context, question guard.Question, _ guard.Seal) (guard.Answer, error) {
	terminal, err := p.streams.Terminal()
	if err != nil {
		return guard.Answer{}, err
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, formatQuestion(question), false)
	if errors.Is(err, term.ErrNothingTyped) {
		return guard.Answer{Action: guard.ActionCancel}, nil
	}
	if err != nil {
		return guard.Answer{}, err
	}
	return guard.Answer{Action: guard.ActionAccept, Typed: typed}, nil
}

// formatQuestion lays a question out. Facts hold untrusted text and are escaped.
func formatQuestion(question guard.Question) string {
	var b strings.Builder
	b.WriteString(term.Escape(question.Text) + "\n")
	for _, fact := range question.Facts {
		b.WriteString("  " + term.Escape(fact.Label) + ": " + term.Escape(fact.Value) + "\n")
	}
	b.WriteString(term.Escape(question.Prompt) + " (anything else cancels): ")
	return b.String()
}
