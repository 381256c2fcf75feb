package search

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"mcp-partner/schemas/partnerid"
)

// takeNumber decides whether a number is a partner ID.
func (ix *Index) takeNumber(text string, tokens []token, i int, found *entities) {
	t := &tokens[i]
	before := ""
	if i > 0 && !tokens[i-1].breaks {
		before = tokens[i-1].text
	}
	digits, named := t.text, ix.lexicon.has(before, id, mpn, partner)
	counted := !named && ix.isCount(tokens, i)
	if counted {
		ix.noteCount(tokens, i, found)
	}
	year := len(digits) == 4 && digits >= "1900" && digits <= "2099" && !named
	_, err := partnerid.Parse("", digits)
	t.kind, t.text = slot, slotNumber
	if err != nil || counted || year || isPiece(text, t.start, t.end) || ix.lexicon.has(before, otherNumber) {
		return
	}
	t.text = slotID
	if !slices.ContainsFunc(found.ids, func(m partnerMention) bool { return m.id == digits }) {
		found.ids = append(found.ids, partnerMention{digits, i})
	}
}

// isCount reports whether a number says how many of something there are.
func (ix *Index) isCount(tokens []token, i int) bool {
	return i+1 < len(tokens) && !tokens[i].breaks && len(tokens[i].text) <= longPiece && ix.lexicon.begins(tokens, i+1, counts)
}

// noteCount keeps what was counted, when it is tenants or days.
func (ix *Index) noteCount(tokens []token, i int, found *entities) {
	digits, unit := tokens[i].text, tokens[i+1].text
	if ix.lexicon.begins(tokens, i+1, tenant) || listed("companies", unit) {
		found.many = found.many || digits != "1"
	}
	if n, err := strconv.Atoi(digits); err == nil && found.days == 0 && n <= mostDays && listed("days", unit) {
		found.days = n
	}
}

// mostDays is the most days that a link is asked to be old.
const mostDays = 9999

// longPiece is the least length of a number that no date or amount has.
const longPiece = 5

// piece are patterns of what stands around a number that is a piece of something
// else: digits with a joint between, a currency, letters that do not say that it
// is an ID. They are compiled when a number is first looked at.
var piece = sync.OnceValue(func() (p struct{ joint, glued, named *regexp.Regexp }) {
	p.joint = regexp.MustCompile(`(?:([0-9]+)[-/.:,'])?\x00(?:[-/.:,']([0-9]+))?`)
	p.glued = regexp.MustCompile(`(?:[$€£+]|[a-z]_*)\x00|\x00[%a-z€]`)
	p.named = regexp.MustCompile(`(?:^|[^a-z])(?:mpn|id|pid|partnerid|mpnid|pal|nr|no|n|num)_*\x00(?:[^%a-z€]|$)`)
	return p
})

// maxAround bounds the text around a number that is looked at.
const maxAround = 24

// isPiece reports whether the number from start to end is a piece of a date, a
// time, a version, an amount or a name. Two long numbers side by side are two IDs.
func isPiece(text string, start, end int) bool {
	around := text[max(0, start-maxAround):start] + "\x00" + text[end:min(len(text), end+maxAround)]
	for _, digits := range piece().joint.FindStringSubmatch(around)[1:] {
		if digits != "" && (end-start < longPiece || len(digits) < longPiece) {
			return true
		}
	}
	return piece().glued.MatchString(around) && !piece().named.MatchString(around)
}
