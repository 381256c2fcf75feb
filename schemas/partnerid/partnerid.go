// Package partnerid reads the MPN IDs of partners.
package partnerid

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// ID is an MPN ID (partner ID) of a location account: 4 to 10 ASCII
// digits, the first of which is not 0. In use 5 to 8 digits have been seen; help
// texts that say 6 are wrong.
type ID string

// Pattern is the form in JSON Schema and in regular expressions.
const Pattern = `^[1-9]\d{3,9}$`

var form = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(Pattern)
})

// Parse checks the form of a partner ID. The field is the argument's
// name for the message. It returns a CodeInvalidPartnerID problem that says
// which mistake was made.
func Parse(field, text string) (ID, error) {
	if form().MatchString(text) {
		return ID(text), nil
	}
	return "", problems.New(problems.CodeInvalidPartnerID, mistake(field, text))
}

// Check returns the problem of the first text that Parse refuses.
func Check[S ~string](field string, texts ...S) error {
	for _, text := range texts {
		if _, err := Parse(field, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// Read takes an ID as the provider answers it. There a 0 in front is kept:
// what is linked has to be told, even if nobody may write it.
func Read(text string) (ID, error) {
	digits := strings.Trim(text, "0123456789") == ""
	if !digits || len(text) < 4 || len(text) > 10 {
		return "", problems.New(problems.CodeInvalidPartnerID, mistake("partnerId", text))
	}
	return ID(text), nil
}

func mistake(field, text string) string {
	switch {
	case text == "":
		return field + " is empty: a partner ID is a string of 4 to 10 digits, such as \"1234567\"."
	case naming.IsGUID(text):
		return field + " is a GUID: GUIDs are for Customer Usage Attribution, a different mechanism. A partner ID is 4 to 10 digits."
	case untrusted.Shown(text) != strconv.Quote(text):
		return field + " is " + untrusted.Shown(text) + ": a partner ID is only 4 to 10 digits."
	case strings.Trim(text, "0123456789") == "" && text[0] == '0':
		return field + " begins with 0, and no partner ID does: a leading zero would make it a different ID."
	case strings.Trim(text, "0123456789") == "":
		return fmt.Sprintf("%s has %s: a partner ID has 4 to 10.", field, phrase.Count(len(text), "digit"))
	default:
		return field + " has characters other than ASCII digits: a partner ID is 4 to 10 digits, such as \"1234567\"."
	}
}

// Join lists IDs for a reader, as strings.Join does.
func Join(ids []ID, separator string) string {
	return strings.Join(xslices.Map(ids, func(id ID) string { return string(id) }), separator)
}
