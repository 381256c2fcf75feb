package pec

import (
	"cmp"
	"fmt"
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
