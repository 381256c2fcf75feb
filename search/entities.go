package search

import (
	"slices"
	"strings"

	"mcp-partner/schemas"
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
	// tenants are directory names, each once, in the order of the text; one
	// group a mention, for a display name may belong to several tenants.
	tenants [][]string
	ids     []partnerMention
	guids   int
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
	tokens = takeHandles(text, takeGUIDs(text, tokens, names, &found), &found)
	tokens = ix.takeTenants(tokens, names, &found)
	for i := range tokens {
		if tokens[i].kind == number {
			ix.takeNumber(text, tokens, i, &found)
		}
	}
	return tokens, found
}

// guidLength is the length of a GUID in its usual form.
const guidLength = 36

func takeGUIDs(text string, tokens []token, names *Names, found *entities) []token {
	out := tokens[:0:0]
	for i := 0; i < len(tokens); i++ {
		start := tokens[i].start
		if start+guidLength > len(text) || !schemas.IsGUID(text[start:start+guidLength]) {
			out = append(out, tokens[i])
			continue
		}
		guid := token{text: slotGUID, kind: slot, start: start, end: start + guidLength}
		last := i
		for last+1 < len(tokens) && tokens[last+1].start < guid.end {
			last++
		}
		if m, ok := names.longestIn(tokens, i); ok && m.last == last+1 {
			found.tenants = append(found.tenants, m.tenants)
			guid.text = slotTenant
		} else {
			found.guids++
		}
		guid.breaks, guid.ends = tokens[last].breaks, tokens[last].ends
		out, i = append(out, guid), last
	}
	return out
}

func (n *Names) longestIn(tokens []token, i int) (mention, bool) {
	if n == nil {
		return mention{}, false
	}
	return n.longest(tokens, i)
}

func (ix *Index) takeTenants(tokens []token, names *Names, found *entities) []token {
	mentions := names.mentions(tokens, func(i int) bool { return ix.standsForTenant(tokens, i) })
	out, at := tokens[:0:0], 0
	for _, m := range mentions {
		out = append(out, tokens[at:m.first]...)
		last := tokens[m.last-1]
		out = append(out, token{text: slotTenant, kind: slot, start: tokens[m.first].start, end: last.end, breaks: last.breaks, ends: last.ends})
		if !slices.ContainsFunc(found.tenants, func(t []string) bool { return slices.Equal(t, m.tenants) }) {
			found.tenants = append(found.tenants, m.tenants)
		}
		at = m.last
	}
	return append(out, tokens[at:]...)
}

// standsForTenant keeps a tenant called "partner" from being seen everywhere:
// a name that is a word of some lexicon needs a word before it such as "at".
func (ix *Index) standsForTenant(tokens []token, i int) bool {
	if tokens[i].kind == slot {
		return false
	}
	if !ix.lexicon.words[tokens[i].text] || ix.lexicon.isOnly(tokens[i].text, known) {
		return true
	}
	return i > 0 && ix.lexicon.has(tokens[i-1].text, at)
}

// takeNumber decides whether a number is a partner ID.
func (ix *Index) takeNumber(text string, tokens []token, i int, found *entities) {
	digits := tokens[i].text
	counted := ix.counted(tokens, i)
	if counted {
		ix.noteCount(tokens, i, found)
	}
	tokens[i].kind = slot
	if counted || joined(text, tokens[i]) || glued(text, tokens[i]) || ix.otherNumber(tokens, i) {
		tokens[i].text = slotNumber
		return
	}
	if _, err := schemas.ParsePartnerID("", digits); err != nil || ix.isYear(tokens, i, digits) {
		tokens[i].text = slotNumber
		return
	}
	tokens[i].text = slotID
	if !slices.ContainsFunc(found.ids, func(m partnerMention) bool { return m.id == digits }) {
		found.ids = append(found.ids, partnerMention{digits, i})
	}
}

// counted reports whether a number says how many of something there are.
func (ix *Index) counted(tokens []token, i int) bool {
	if i+1 >= len(tokens) || tokens[i].breaks || len(tokens[i].text) > 5 {
		return false
	}
	return ix.lexicon.begins(tokens, i+1, counts) && !(i > 0 && ix.namesID(tokens[i-1].text))
}

// noteCount keeps what was counted, when it is tenants or days.
func (ix *Index) noteCount(tokens []token, i int, found *entities) {
	digits, unit := tokens[i].text, tokens[i+1].text
	if ix.lexicon.begins(tokens, i+1, tenant) || unit == "社" || unit == "家" {
		found.many = found.many || digits != "1"
	}
	if found.days != 0 || len(digits) > 4 || !dayWord(unit) {
		return
	}
	for _, d := range digits {
		found.days = found.days*10 + int(d-'0')
	}
}

func dayWord(unit string) bool {
	switch unit {
	case "day", "days", "tage", "tagen", "jours", "dias", "giorni", "dagen", "dni", "日", "天", "일":
		return true
	}
	return false
}

// joined reports whether a number is a piece of a date, a time, a version or
// an amount. Two long numbers side by side are two IDs.
func joined(text string, t token) bool {
	return joinedTo(text[:t.start], len(t.text), lastPiece) || joinedTo(text[t.end:], len(t.text), firstPiece)
}

const joints = "-/.:,'"

// longPiece is the least length of a number that no date or amount has.
const longPiece = 5

func joinedTo(rest string, size int, piece func(string) (string, string)) bool {
	joint, digits := piece(rest)
	return joint != "" && strings.Contains(joints, joint) && digits != "" && (size < longPiece || len(digits) < longPiece)
}

// lastPiece returns the joint at the end of text and the digits before it.
func lastPiece(text string) (joint, digits string) {
	if text == "" {
		return "", ""
	}
	head := text[:len(text)-1]
	return text[len(text)-1:], head[len(strings.TrimRight(head, "0123456789")):]
}

// firstPiece returns the joint at the start of text and the digits after it.
func firstPiece(text string) (joint, digits string) {
	if text == "" {
		return "", ""
	}
	tail := text[1:]
	return text[:1], tail[:len(tail)-len(strings.TrimLeft(tail, "0123456789"))]
}

// glued reports whether letters or a currency sign touch the number, unless
// they say that it is a partner ID, as in "MPN1234567".
func glued(text string, t token) bool {
	before := strings.TrimRight(text[:t.start], "_")
	letters := before[len(strings.TrimRight(before, "abcdefghijklmnopqrstuvwxyz")):]
	switch letters {
	case "", "mpn", "id", "pid", "partnerid", "mpnid", "pal", "nr", "no", "n", "num":
	default:
		return true
	}
	if strings.HasSuffix(before, "$") || strings.HasSuffix(before, "€") || strings.HasSuffix(before, "£") || strings.HasSuffix(before, "+") {
		return true
	}
	after := text[t.end:]
	return after != "" && (strings.ContainsAny(after[:1], "%") || after[0] >= 'a' && after[0] <= 'z' || strings.HasPrefix(after, "€"))
}

func (ix *Index) otherNumber(tokens []token, i int) bool {
	return i > 0 && !tokens[i-1].breaks && ix.lexicon.has(tokens[i-1].text, otherNumber)
}

// isYear reports whether four digits are a year rather than an ID.
func (ix *Index) isYear(tokens []token, i int, digits string) bool {
	if len(digits) != 4 || digits < "1900" || digits > "2099" {
		return false
	}
	return i == 0 || !ix.namesID(tokens[i-1].text)
}

func (ix *Index) namesID(text string) bool {
	return ix.lexicon.has(text, id) || ix.lexicon.has(text, mpn) || ix.lexicon.has(text, partner)
}
