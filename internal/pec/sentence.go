package pec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

// mostNamed bounds how many subscriptions a sentence names.
const mostNamed = 3

// Sentence says for a person what was found, in this program's words and the
// sanitized names of subscriptions.
func Sentence(r *answers.PECRoles) string {
	v := r.Verdicts
	switch {
	case r.Reason != "":
		return "Roles could not be read: the subscriptions of this identity were not listed (" + r.Reason + ")."
	case v.Subscriptions == 0:
		return "This identity sees no subscription: it has no role in any, or it may not see its roles. Other identities and admin-on-behalf-of may have some."
	}
	text := fmt.Sprintf("This identity has an eligible role in %d of %s%s.", v.EligibleRole, phrase.Count(v.Asked(), "subscription"), example(r.Rows))
	if more := v.Subscriptions - v.Asked(); more > 0 {
		text += fmt.Sprintf(" %s not on this page.", phrase.Count(more, "more subscription"))
	}
	for _, row := range without(r.Rows) {
		text += " " + clause(row)
	}
	if v.EligibleRole < v.Asked() {
		text += " Another identity or admin-on-behalf-of may still qualify them."
	}
	return text
}

// example says what decided one of the eligible subscriptions.
func example(rows []answers.PECSubscription) string {
	for _, row := range rows {
		if row.Verdict == answers.PECEligible && !row.Partial {
			return " (" + strings.TrimSuffix(row.Why, ".") + ")"
		}
	}
	return ""
}

// without are the first subscriptions of which something has to be said.
func without(rows []answers.PECSubscription) (list []answers.PECSubscription) {
	for _, row := range rows {
		if (row.Verdict != answers.PECEligible || row.Partial) && len(list) < mostNamed {
			list = append(list, row)
		}
	}
	return list
}

func clause(row answers.PECSubscription) string {
	name := cmp.Or(row.Name, row.SubscriptionID)
	switch {
	case row.Partial:
		return fmt.Sprintf("In %s it holds one only below the subscription.", name)
	case row.Verdict == answers.PECNotEligible && len(row.Roles) > 0:
		return fmt.Sprintf("In %s it has %s only.", name, names(row.Roles))
	case row.Verdict == answers.PECNotEligible:
		return fmt.Sprintf("In %s it has no role.", name)
	case row.Verdict == answers.PECUnlisted:
		return fmt.Sprintf("In %s it has %s, on no list.", name, names(row.Roles))
	default:
		return fmt.Sprintf("%s is unknown (%s).", name, row.Reason)
	}
}

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
	short.Held = phrase.Some(slices.Compact(short.Held), mostHeld)
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
