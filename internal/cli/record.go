package cli

import (
	"context"
	"fmt"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// record writes into the ledger that somebody changed the directory or the
// vault. The change was made by then, so a record that cannot be written is
// told and undoes nothing. Where there is no vault there is no record.
func (f *Factory) record(ctx context.Context, h *house, kind guard.EventKind, format string, args ...any) {
	if !h.keepsRecord() {
		return
	}
	decider, err := guard.New(guard.Options{Store: h.ledger, Account: account()})
	if err == nil {
		err = decider.Changed(context.WithoutCancel(ctx), kind, fmt.Sprintf(format, args...))
	}
	if err != nil {
		fmt.Fprintf(f.IO.Err, "mcp-partner: note: the change was made and is not in the ledger: %s\n", escape(schemas.AsProblem(err).Message))
	}
}

// recordSecret records that a secret came into the vault, new or in the place
// of another one.
func (f *Factory) recordSecret(ctx context.Context, h *house, credential string) {
	f.record(ctx, h, guard.KindSecret, "A secret was stored for the credential %s.", credential)
}

// maxRecordedNames bounds the length of an entry about many tenants.
const maxRecordedNames = 50

// namesOf lists tenants for the record.
func namesOf(entries []tenants.Entry) string {
	if len(entries) == 0 {
		return "none"
	}
	var names []string
	for _, entry := range entries[:min(len(entries), maxRecordedNames)] {
		names = append(names, entry.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(entries) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
