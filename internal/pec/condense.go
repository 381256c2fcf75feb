package pec

import (
	"fmt"
	"slices"

	"mcp-partner/schemas/answers"
)

// mostHeld bounds the roles that a row of an audit keeps.
const mostHeld = 30

// Condense makes of a result what an audit keeps of it: the counts, the roles
// held, and the first reason for which something is unknown.
func Condense(r *answers.PECRoles) *answers.PECRoles {
	short := &answers.PECRoles{Verdicts: r.Verdicts, ListDate: r.ListDate, Reason: r.Reason}
	for _, row := range r.Rows {
		if row.Verdict == answers.PECUnknown && short.Reason == "" {
			short.Reason = row.Reason
		}
		for _, role := range row.Roles {
			short.Held = append(short.Held, inShort(role))
		}
	}
	slices.Sort(short.Held)
	short.Held = slices.Compact(short.Held)
	if more := len(short.Held) - mostHeld; more > 0 {
		short.Held = append(short.Held[:mostHeld:mostHeld], fmt.Sprintf("and %d more", more))
	}
	return short
}

func inShort(r answers.PECRole) string {
	text := r.Role + " at " + r.Scope
	if r.Group != "" {
		text += " through group " + r.Group
	}
	return text
}

// Differences says what changed between two audits of one identity. What is
// unknown on a side is never called added or removed.
func Differences(before, after *answers.PECRoles) []string {
	if before == nil || after == nil {
		return nil
	}
	var list []string
	if b, a := before.Verdicts, after.Verdicts; b != a {
		list = append(list, fmt.Sprintf("Eligible role in %d of %d subscriptions, before in %d of %d.", a.EligibleRole, a.Subscriptions, b.EligibleRole, b.Subscriptions))
	}
	whole := len(before.Held) <= mostHeld && len(after.Held) <= mostHeld
	if whole && after.Reason == "" {
		list = append(list, only(before.Held, after.Held, "removed")...)
	}
	if whole && before.Reason == "" {
		list = append(list, only(after.Held, before.Held, "added")...)
	}
	return list
}

// Lost reports whether a role is gone that was there, as far as both audits know.
func Lost(before, after *answers.PECRoles) bool {
	if before == nil || after == nil || after.Reason != "" {
		return false
	}
	whole := len(before.Held) <= mostHeld && len(after.Held) <= mostHeld
	return after.Verdicts.EligibleRole < before.Verdicts.EligibleRole || whole && len(only(before.Held, after.Held, "")) > 0
}

// only words the roles of one list that the other lacks.
func only(roles, others []string, what string) (list []string) {
	for _, role := range roles {
		if !slices.Contains(others, role) {
			list = append(list, "Role "+what+": "+role+".")
		}
	}
	return list
}
