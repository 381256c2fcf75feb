package render

import (
	"strings"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

func writeRoles(u *term.UI, r *answers.PECRoles) {
	if r == nil {
		return
	}
	u.Field("list", r.ListDate)
	u.Field("not checked", strings.Join(r.NotChecked, "; "))
	rows := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		verdict := phrase.Words(row.Verdict)
		if row.Partial {
			verdict += " (in part)"
		}
		rows[i] = []string{verdict, phrase.Quote(row.Name), row.SubscriptionID, row.Why, row.Fix}
	}
	if len(rows) > 0 {
		u.Table([]string{"ROLE", "SUBSCRIPTION", "ID", "RESTS ON", "NEXT"}, rows)
	}
}
