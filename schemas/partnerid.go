package schemas

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// PartnerID is an MPN ID (partner ID) of a location account: 4 to 10 ASCII
// digits, the first of which is not 0. In use 5 to 8 digits have been seen; help
// texts that say 6 are wrong.
type PartnerID string

const partnerIDPattern = `^[1-9]\d{3,9}$`

var partnerIDForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(partnerIDPattern)
})

// IsGUID reports whether text has the form of a GUID, in either case.
func IsGUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// ParsePartnerID checks the form of a partner ID. The field is the argument's
// name for the message. It returns a CodeInvalidPartnerID problem that says
// which mistake was made.
func ParsePartnerID(field, text string) (PartnerID, error) {
	if partnerIDForm().MatchString(text) {
		return PartnerID(text), nil
	}
	return "", NewProblem(CodeInvalidPartnerID, partnerIDMistake(field, text))
}

// ReadPartnerID takes an ID as the provider answers it. There a 0 in front is kept:
// what is linked has to be told, even if nobody may write it.
func ReadPartnerID(text string) (PartnerID, error) {
	digits := strings.Trim(text, "0123456789") == ""
	if !digits || len(text) < 4 || len(text) > 10 {
		return "", NewProblem(CodeInvalidPartnerID, partnerIDMistake("partnerId", text))
	}
	return PartnerID(text), nil
}

func partnerIDMistake(field, text string) string {
	switch {
	case text == "":
		return field + " is empty: a partner ID is a string of 4 to 10 digits, such as \"1234567\"."
	case IsGUID(text):
		return field + " is a GUID: GUIDs are for Customer Usage Attribution, a different mechanism. A partner ID is 4 to 10 digits."
	case Shown(text) != strconv.Quote(text):
		return field + " is " + Shown(text) + ": a partner ID is only 4 to 10 digits."
	case strings.Trim(text, "0123456789") == "" && text[0] == '0':
		return field + " begins with 0, and no partner ID does: a leading zero would make it a different ID."
	case strings.Trim(text, "0123456789") == "":
		return fmt.Sprintf("%s has %s: a partner ID has 4 to 10.", field, Count(len(text), "digit"))
	default:
		return field + " has characters other than ASCII digits: a partner ID is 4 to 10 digits, such as \"1234567\"."
	}
}
