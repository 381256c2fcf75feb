package tenants

import (
	"strings"
	"time"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// ExpiryWarning is how long before its end a credential is warned of.
const ExpiryWarning = 30 * 24 * time.Hour

// ExpiryState says how the end of a credential stands.
type ExpiryState string

// The states of an end.
const (
	// ExpiryNone is of kinds that have no end of their own.
	ExpiryNone ExpiryState = "none"
	// ExpiryUnknown means that no expiry of the secret is known.
	ExpiryUnknown ExpiryState = "unknown"
	// ExpiryValid means that the end is more than ExpiryWarning away.
	ExpiryValid ExpiryState = "valid"
	// ExpirySoon means that the end is near.
	ExpirySoon ExpiryState = "soon"
	// ExpiryPast means that the end has passed: the credential is not presented.
	ExpiryPast ExpiryState = "expired"
)

// Expiry returns how the end of the credential stands at a time, and the end,
// which is zero for ExpiryNone and ExpiryUnknown.
func (c CredentialConfig) Expiry(now time.Time) (ExpiryState, time.Time) {
	if !c.Kind.Given() {
		return ExpiryNone, time.Time{}
	}
	end, err := time.Parse(time.RFC3339, c.Expires)
	switch {
	case err != nil:
		return ExpiryUnknown, time.Time{}
	case !now.Before(end):
		return ExpiryPast, end
	case now.Add(ExpiryWarning).After(end):
		return ExpirySoon, end
	}
	return ExpiryValid, end
}

// ParseExpiry reads an end as a person gives it: a day, which counts to its
// beginning in UTC, or a time in RFC 3339. It returns the form of
// CredentialConfig.Expires, or a CodeInvalidArgument problem.
func ParseExpiry(text string) (string, error) {
	text = strings.TrimSpace(text)
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if end, err := time.Parse(form, text); err == nil && end.Year() >= 2000 && end.Year() <= 9999 {
			return FormatExpiry(end), nil
		}
	}
	return "", problems.InvalidArgument("%q is not a date: give a day such as 2027-01-31, or a time in RFC 3339.", untrusted.Sanitize(text))
}

// FormatExpiry writes an end in the form of CredentialConfig.Expires.
func FormatExpiry(end time.Time) string { return end.UTC().Format(time.RFC3339) }

func normalExpires(c *CredentialConfig) error {
	if c.Expires == "" {
		return nil
	}
	end, err := ParseExpiry(c.Expires)
	if err != nil {
		return problems.InvalidArgument("the expiry date of credential %s is not a date.", c.Name)
	}
	c.Expires = end
	return nil
}
