package auditreport

import (
	"cmp"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"mcp-partner/schemas/answers"
)

// roleColumns are the columns of an audit that read roles.
func roleColumns() []column {
	count := func(n func(answers.PECCounts) int) func(answers.AuditRow) string {
		return ofRoles(func(r *answers.PECRoles) string { return strconv.Itoa(n(r.Verdicts)) })
	}
	return []column{
		{"pec_class", func(r answers.AuditRow) string { return r.PECClass() }},
		{"pec_subscriptions", count(func(c answers.PECCounts) int { return c.Subscriptions })},
		{"pec_eligible_role", count(func(c answers.PECCounts) int { return c.EligibleRole })},
		{"pec_partial", count(func(c answers.PECCounts) int { return c.Partial })},
		{"pec_no_eligible_role", count(func(c answers.PECCounts) int { return c.NoEligibleRole })},
		{"pec_unlisted_role", count(func(c answers.PECCounts) int { return c.UnlistedRole })},
		{"pec_unknown", count(func(c answers.PECCounts) int { return c.Unknown })},
		{"pec_reason", ofRoles(func(r *answers.PECRoles) string { return r.Reason })},
		{"pec_held", heldRoles},
		{"pec_list_date", ofRoles(func(r *answers.PECRoles) string { return r.ListDate })},
	}
}

func ofRoles(value func(*answers.PECRoles) string) func(answers.AuditRow) string {
	return func(r answers.AuditRow) string {
		if r.PECRoles == nil {
			return ""
		}
		return value(r.PECRoles)
	}
}

func heldRoles(r answers.AuditRow) string {
	return ofRoles(func(r *answers.PECRoles) string { return strings.Join(r.Held, "; ") })(r)
}

// eligibleIn is a count, such as 3 of 4; an audit with roles may have read none of a row.
func eligibleIn(r answers.AuditRow) string { return cmp.Or(r.PECRoles.EligibleIn(), "not read") }

// restsOn says what the page is silent about.
func (r Report) restsOn() string {
	if !r.Audit().Roles {
		return "Roles and earned credit were not checked."
	}
	return "Roles were compared with Microsoft's list of roles for partner earned credit; Microsoft decides whether a subscription is credited. Other identities and admin-on-behalf-of were not checked."
}

// roles count the classes of link and roles.
func (r Report) roles() g.Node {
	if !r.Audit().Roles {
		return nil
	}
	body := g.Map(answers.PECClasses(), func(class string) g.Node {
		return g.If(r.Totals[class] > 0, h.Tr(number(count(r.Totals[class])), td(answers.PECClassTitle(class))))
	})
	return section("roles", "Roles for partner earned credit", table([]string{"Rows", "Link and roles"}, body))
}
