package search

import (
	"cmp"
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
	digits, named, counted := t.text, ix.lexicon.has(before, id, mpn, partner), ix.isCount(tokens, i)
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
	n, err := strconv.Atoi(tokens[i].text)
	if err == nil && n <= mostDays && listed("days", tokens[i+1].text) {
		found.days = cmp.Or(found.days, n)
	}
	found.many = found.many || n != 1 && ix.lexicon.begins(tokens, i+1, tenant)
}

// mostDays is the most days that a link is asked to be old.
const mostDays = 9999

// longPiece is the least length of a number that no date or amount has.
const longPiece = 5

// pieces are patterns of what stands around a number that is a piece of something
// else: a joint to a few digits, a currency, letters that do not say that it is an
// ID. They are compiled when a number is first looked at.
var pieces = sync.OnceValue(func() (p struct{ joined, named *regexp.Regexp }) {
	p.joined = regexp.MustCompile(`(?:(?:^|[^0-9])[0-9]{1,4}[-/.:,']|[$€£+]|[a-z]_*)\x00|\x00(?:[-/.:,'][0-9]{1,4}(?:[^0-9]|$)|[%a-z€])`)
	p.named = regexp.MustCompile(`(?:^|[^a-z])(?:mpn|id|pid|partnerid|mpnid|pal|nr|no|n|num)_*\x00(?:[^%a-z€]|$)`)
	return p
})

// maxAround bounds the text around a number that is looked at.
const maxAround = 24

// isPiece reports whether the number from start to end is a piece of a date, a
// time, a version, an amount or a name. Two long numbers side by side are two IDs.
func isPiece(text string, start, end int) bool {
	around := text[max(0, start-maxAround):start] + "\x00" + text[end:min(len(text), end+maxAround)]
	return pieces().joined.MatchString(around) && !pieces().named.MatchString(around)
}
