package cmdutil

import (
	"context"
	"fmt"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

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
	if len(entries) == 0 {
		return "none"
	}
	names := xslices.Map(entries[:min(len(entries), maxRecordedNames)], func(entry tenants.Entry) string { return entry.Name })
	text := strings.Join(names, ", ")
	if more := len(entries) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
