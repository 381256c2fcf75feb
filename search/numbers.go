package search

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"mcp-partner/schemas"
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
	_, err := schemas.ParsePartnerID("", digits)
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

// around are patterns of what stands around a number that is a piece of something
// else: digits with a joint between, letters that do not say that it is an ID,
// currencies. They are compiled when a number is first looked at.
var around = sync.OnceValue(func() (p struct{ digitsBefore, digitsAfter, gluedBefore, idBefore, gluedAfter *regexp.Regexp }) {
	p.digitsBefore = regexp.MustCompile(`([0-9]+)[-/.:,']$`)
	p.digitsAfter = regexp.MustCompile(`^[-/.:,']([0-9]+)`)
	p.gluedBefore = regexp.MustCompile(`[$€£+]$|[a-z]_*$`)
	p.idBefore = regexp.MustCompile(`(?:^|[^a-z])(?:mpn|id|pid|partnerid|mpnid|pal|nr|no|n|num)_*$`)
	p.gluedAfter = regexp.MustCompile(`^[%a-z€]`)
	return p
})

// maxAround bounds the text around a number that is looked at.
const maxAround = 24

// isPiece reports whether the number from start to end is a piece of a date, a
// time, a version, an amount or a name. Two long numbers side by side are two IDs.
func isPiece(text string, start, end int) bool {
	before, after := text[max(0, start-maxAround):start], text[end:min(len(text), end+maxAround)]
	p := around()
	for _, m := range [][]string{p.digitsBefore.FindStringSubmatch(before), p.digitsAfter.FindStringSubmatch(after)} {
		if m != nil && (end-start < longPiece || len(m[1]) < longPiece) {
			return true
		}
	}
	return p.gluedBefore.MatchString(before) && !p.idBefore.MatchString(before) || p.gluedAfter.MatchString(after)
}
