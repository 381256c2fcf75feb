package console

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

const approvalsPath = "/console/approvals"

func approvalPath(id string) string { return approvalsPath + "/" + url.PathEscape(id) }

// showApprovals lists what waits for somebody, and what was decided lately.
func (c *Console) showApprovals(v *visit) error {
	waiting, others, err := c.o.Service.SeenApprovals(v.r.Context(), v.by)
	if err != nil {
		return err
	}
	lead := "Nothing waits."
	if len(waiting) > 0 {
		lead = "Waiting: " + phrase.Count(len(waiting), "request") + ". The agents that asked have written nothing yet."
	}
	body := []page.Node{page.El("p", page.Class("lead"), page.Text(lead))}
	if len(waiting) > 0 {
		body = append(body, approvalTable("What waits", waiting))
	}
	if len(others) > 0 {
		body = append(body, page.Folded("Decided or expired lately", approvalTable("Decided or expired", others)))
	}
	return v.show("Approvals", body...)
}

func approvalTable(caption string, list []tools.SeenApproval) page.Node {
	return page.Listing(caption, []string{"Request", "Customer", "Asked by", "State", "Asked", "Expires"}, xslices.Map(list, func(a tools.SeenApproval) []page.Node {
		return []page.Node{
			page.Link(approvalPath(a.ID), requestOf(a)), customersOf(a), by(a.AskedBy), approvalState(a),
			page.TimeOf(a.CreatedAt), page.TimeOf(a.ExpiresAt),
		}
	})...)
}

// requestOf says in few words what somebody asks for.
func requestOf(a tools.SeenApproval) string {
	where := a.Identity.Tenant
	if a.Rows != nil {
		where = phrase.Count(len(written(a)), "tenant")
	}
	to := fmt.Sprintf("partner ID %s", a.PartnerID)
	if a.PartnerID == "" {
		to = "the partner ID that each expects"
	}
	switch a.Tool {
	case schemas.ToolRemovePartner:
		return "Remove the link of " + where + " to " + to
	case schemas.ToolUpdatePartner, schemas.ToolTransitionPartner:
		return "Move " + where + " to " + to
	default:
		return "Link " + where + " to " + to
	}
}

// customersOf names the customer, or the first of several.
func customersOf(a tools.SeenApproval) page.Node {
	rows := written(a)
	if a.Rows == nil {
		return customer(a.Company, a.Identity.Tenant)
	}
	if len(rows) == 0 {
		return page.Text("-")
	}
	more := ""
	if len(rows) > 1 {
		more = fmt.Sprintf(" and %d more", len(rows)-1)
	}
	return page.Group{customer(rows[0].Company, rows[0].Tenant), page.Text(more)}
}

// customer is a company, or the name of the directory where it has none.
func customer(company, tenant string) page.Node {
	if company == "" {
		company = tenant
	}
	return page.Untrusted(company)
}

// written are the rows of a plan in which something would be written.
func written(a tools.SeenApproval) []answers.ChangeRow {
	return xslices.Filter(a.Rows, func(r answers.ChangeRow) bool { return len(r.Steps) > 0 })
}

// approvalState is where an approval stands, for its reader.
func approvalState(a tools.SeenApproval) page.Node {
	switch {
	case a.State == guard.StatePending && a.Asked:
		return page.State("plain", "waits for somebody else")
	case a.State == guard.StatePending:
		return page.State("warn", strings.TrimSpace("waits "+a.Approvals))
	case a.State == guard.StateApproved:
		return page.State("good", "approved, not carried out")
	case a.State == guard.StateUsed:
		return page.State("plain", "carried out")
	default:
		return page.State("plain", a.State)
	}
}

// waiting counts what a person may decide on.
func (v *visit) waiting(ctx context.Context) int {
	tickets, err := v.c.o.Guard.QuestionsFor(ctx, v.by)
	if err != nil {
		return 0 // without the scope there are none
	}
	return len(tickets)
}
