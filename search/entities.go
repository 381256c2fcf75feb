package search

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"mcp-partner/schemas/partnerid"
)

// The slots that entities leave behind in the tokens.
const (
	slotTenant = "#tenant"
	slotID     = "#id"
	slotGUID   = "#guid"
	slotNumber = "#number"
	slotHandle = "#handle"
)

// entities are what an utterance names.
type entities struct {
	// tenants are directory names, one group a mention: several may share a name.
	tenants [][]string
	ids     []partnerMention
	// guids are those that name no tenant: subscriptions, where a tool takes some.
	guids []string
	// approval and run are the first of each that is named, or empty.
	approval, run string
	// days is the first count of days, or 0.
	days int
	// many is set when a count of customers or tenants is named.
	many bool
}

// partnerMention is a partner ID and the token that stands for it.
type partnerMention struct {
	id string
	at int
}

// takeEntities replaces what is named by slots and returns the shorter tokens.
func (ix *Index) takeEntities(text string, tokens []token, names *Names) ([]token, entities) {
	var found entities
	tokens = ix.takeTenants(tokens, names, &found)
	takeHandles(tokens, &found)
	for i := range tokens {
		if tokens[i].kind == number {
			ix.takeNumber(text, tokens, i, &found)
		}
	}
	return tokens, found
}

// takeTenants makes one slot of the tokens of each name.
func (ix *Index) takeTenants(tokens []token, names *Names, found *entities) []token {
	out := tokens[:0:0]
	for i := 0; i < len(tokens); i++ {
		tenants, end := names.longest(tokens, i)
		if len(tenants) == 0 || end == i+1 && !ix.standsForTenant(tokens, i) {
			out = append(out, tokens[i])
			continue
		}
		t := tokens[end-1]
		t.text, t.kind, t.start = slotTenant, slot, tokens[i].start
		out = append(out, t)
		if !slices.ContainsFunc(found.tenants, func(t []string) bool { return slices.Equal(t, tenants) }) {
			found.tenants = append(found.tenants, tenants)
		}
		i = end - 1
	}
	return out
}

// standsForTenant keeps a tenant called "partner" from being seen everywhere.
func (ix *Index) standsForTenant(tokens []token, i int) bool {
	text := tokens[i].text
	if !ix.lexicon.isWord(text, false) || ix.lexicon.has(text, known) {
		return true
	}
	return i > 0 && ix.lexicon.has(tokens[i-1].text, at)
}

// handles matches what stands for itself: GUIDs, approvals and runs.
var handles = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?:ap|run)_[0-9a-z]{6,})\b`)
})

// handleAt returns the size of the handle that a text begins with, or 0.
func handleAt(text string) int {
	if len(text) < 9 || text[8] != '-' && text[2] != '_' && text[3] != '_' {
		return 0 // the expression is slow
	}
	return len(handles().FindString(text))
}

// takeHandles notes the handles and puts a slot in the place of each.
func takeHandles(tokens []token, found *entities) {
	for i, t := range tokens {
		if t.kind != handle {
			continue
		}
		tokens[i].kind, tokens[i].text = slot, slotHandle
		switch t.text[:3] {
		case "ap_":
			found.approval = cmp.Or(found.approval, t.text)
		case "run":
			found.run = cmp.Or(found.run, t.text)
		default:
			tokens[i].text, found.guids = slotGUID, append(found.guids, t.text)
		}
	}
}

// takeNumber decides whether a number is a partner ID.
func (ix *Index) takeNumber(text string, tokens []token, i int, found *entities) {
	t, before := &tokens[i], tokens[max(i-1, 0)].text
	digits, named := t.text, ix.lexicon.has(before, id, mpn, partner)
	counted := i+1 < len(tokens) && !t.breaks && len(digits) <= longPiece && ix.lexicon.begins(tokens, i+1, counts)
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

// noteCount keeps what was counted, when it is tenants or days.
func (ix *Index) noteCount(tokens []token, i int, found *entities) {
	n, err := strconv.Atoi(tokens[i].text)
	if err == nil && n <= mostDays && listed("days", tokens[i+1].text) {
		found.days = cmp.Or(found.days, n)
	}
	found.many = found.many || n != 1 && ix.lexicon.begins(tokens, i+1, tenant)
}

const (
	longPiece = 5    // the least length of a number that no date or amount has
	mostDays  = 3650 // the most days that stale_after_days takes
	maxAround = 24   // bounds the text around a number that is looked at
)

// pieces are patterns around a number that is a piece of something, or named an ID.
var pieces = sync.OnceValue(func() (p struct{ joined, named *regexp.Regexp }) {
	p.joined = regexp.MustCompile(`(?:(?:^|[^0-9])[0-9]{1,4}[-/.:,']|(?:\+|(?:^|[^-/.:,'0-9])0)[0-9 ()]{1,12} |[$€£+]|[a-z][-_]*)\x00|\x00(?:[-/.:,'][0-9]{1,4}(?:[^0-9]|$)|[%a-z€])`)
	p.named = regexp.MustCompile(`(?:^|[^a-z])(?:mpn|id|pid|partner|partnerid|mpnid|pal|nr|no|n|num)[-_]*\x00(?:[^%a-z€]|$)`)
	return p
})

// isPiece reports whether a number is a piece of a date, time, version, amount or name.
func isPiece(text string, start, end int) bool {
	around := text[max(0, start-maxAround):start] + "\x00" + text[end:min(len(text), end+maxAround)]
	return pieces().joined.MatchString(around) && !pieces().named.MatchString(around)
}
