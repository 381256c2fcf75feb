package render

import (
	"strings"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// LinkWord is a link in one word: the ID, or why there is none.
func LinkWord(link *answers.Link) string {
	switch {
	case link == nil:
		return ""
	case link.State == answers.LinkLinked:
		return string(link.PartnerID)
	default:
		return string(link.State)
	}
}

// commands names commands where the reason of a row, which agents read too, names
// tools.
var commands = strings.NewReplacer(
	"; "+schemas.ToolTransitionPartner+" ", "; mcp-partner transition ",
	"; "+schemas.ToolEnsurePartnerLinks+" ", "; mcp-partner ensure ",
)

// WriteChanges writes the rows of a plan or a run as a table.
func WriteChanges(u *term.UI, rows []answers.ChangeRow) {
	if len(rows) == 0 {
		return
	}
	u.Blank()
	cells := make([][]string, len(rows))
	for i, r := range rows {
		name := ""
		if r.Before != nil {
			name = phrase.Quote(r.Before.PartnerName)
		}
		cells[i] = []string{phrase.Words(r.State), r.Company, r.Domain, r.Tenant, r.Credential, phrase.Words(LinkWord(r.Before)), name, r.PartnerID, phrase.Words(LinkWord(r.After)),
			strings.Join(r.Steps, ", "), string(r.Problem), r.PECRoles.EligibleIn(), strings.TrimSpace(r.Warning + " " + commands.Replace(r.Why))}
	}
	u.Table([]string{"STATE", "COMPANY", "DOMAIN", "TENANT", "CREDENTIAL", "BEFORE", "PARTNER NAME", "NEW ID", "NOW", "STEPS", "PROBLEM", "ELIGIBLE ROLE IN", "NOTE"}, cells)
}
