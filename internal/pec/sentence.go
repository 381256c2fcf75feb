package pec

import (
	"cmp"
	"fmt"
	"strings"

	"mcp-partner/schemas"
)

// mostNamed bounds how many subscriptions a sentence names.
const mostNamed = 3

// Sentence says for a person what was found, in this program's words and the
// sanitized names of subscriptions.
func Sentence(r *schemas.PECRoles) string {
	v := r.Verdicts
	switch {
	case r.Reason != "":
		return "Roles could not be read: the subscriptions of this identity were not listed (" + r.Reason + ")."
	case v.Subscriptions == 0:
		return "This identity sees no subscription: it has no role in any, or it may not see its roles. Other identities and admin-on-behalf-of may have some."
	}
	text := fmt.Sprintf("This identity has an eligible role in %d of %s%s.", v.EligibleRole, schemas.Count(v.Asked(), "subscription"), example(r.Rows))
	if more := v.Subscriptions - v.Asked(); more > 0 {
		text += fmt.Sprintf(" %s not on this page.", schemas.Count(more, "more subscription"))
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
func example(rows []schemas.PECSubscription) string {
	for _, row := range rows {
		if row.Verdict == schemas.PECEligible && !row.Partial {
			return " (" + strings.TrimSuffix(row.Why, ".") + ")"
		}
	}
	return ""
}

// without are the first subscriptions of which something has to be said.
func without(rows []schemas.PECSubscription) (list []schemas.PECSubscription) {
	for _, row := range rows {
		if (row.Verdict != schemas.PECEligible || row.Partial) && len(list) < mostNamed {
			list = append(list, row)
		}
	}
	return list
}

func clause(row schemas.PECSubscription) string {
	name := cmp.Or(row.Name, row.SubscriptionID)
	switch {
	case row.Partial:
		return fmt.Sprintf("In %s it holds one only below the subscription.", name)
	case row.Verdict == schemas.PECNotEligible && len(row.Roles) > 0:
		return fmt.Sprintf("In %s it has %s only.", name, held(row.Roles))
	case row.Verdict == schemas.PECNotEligible:
		return fmt.Sprintf("In %s it has no role.", name)
	case row.Verdict == schemas.PECUnlisted:
		return fmt.Sprintf("In %s it has %s, on no list.", name, held(row.Roles))
	default:
		return fmt.Sprintf("%s is unknown (%s).", name, row.Reason)
	}
}

func held(roles []schemas.PECRole) string {
	var list []weighed
	for _, role := range roles {
		list = append(list, weighed{role: role})
	}
	return names(list)
}
