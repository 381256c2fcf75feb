package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What an utterance names beside tenants and partner IDs: the approvals and
// runs that this server gave names to, and tenants that no directory has.

const (
	approvalHandle = "ap_"
	runHandle      = "run_"
	// leastHandle is the least length of what follows them.
	leastHandle = 6
)

// takeHandles puts a slot in the place of each approval or run that is named.
func takeHandles(text string, tokens []token, found *entities) []token {
	if !strings.Contains(text, approvalHandle) && !strings.Contains(text, runHandle) {
		return tokens
	}
	out := tokens[:0:0]
	for i := 0; i < len(tokens); i++ {
		handle := handleAt(text[tokens[i].start:])
		if handle == "" {
			out = append(out, tokens[i])
			continue
		}
		taken := token{text: slotHandle, kind: slot, start: tokens[i].start, end: tokens[i].start + len(handle)}
		for i+1 < len(tokens) && tokens[i+1].start < taken.end {
			i++
		}
		taken.breaks, taken.ends = tokens[i].breaks, tokens[i].ends
		out = append(out, taken)
		found.noteHandle(handle)
	}
	return out
}

func handleAt(text string) string {
	for _, prefix := range []string{approvalHandle, runHandle} {
		rest, ok := strings.CutPrefix(text, prefix)
		if !ok {
			continue
		}
		rest = rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789abcdefghijklmnopqrstuvwxyz"))]
		if len(rest) >= leastHandle {
			return prefix + rest
		}
	}
	return ""
}

func (e *entities) noteHandle(handle string) {
	into := &e.run
	if strings.HasPrefix(handle, approvalHandle) {
		into = &e.approval
	}
	if *into == "" {
		*into = handle
	}
}

// noteStranger looks for one tenant that the directory lacks: a GUID, a domain,
// or a name with a capital after a word such as "at". It is never an argument,
// but it tells that one tenant is meant.
func (w *wish) noteStranger() {
	if len(w.entities.tenants) > 0 {
		return
	}
	if w.entities.guids == 1 {
		w.stranger = true
		return
	}
	var capitals map[string]bool
	covered := w.covered(func(h hit) bool { return h.concept != known })
	for i, t := range w.tokens {
		if t.kind != word || covered[i] {
			continue
		}
		if capitals == nil {
			capitals = capitalised(w.asked)
		}
		if capitals[t.text] && w.placed(i) || w.isDomain(i) {
			w.stranger, w.strangerAt[i] = true, true
		}
	}
}

// placed reports whether a word stands where a tenant's name does.
func (w *wish) placed(i int) bool {
	beside := func(j int) bool { return j >= 0 && j < len(w.tokens) && w.tokens[j].kind == glyph }
	return i > 0 && (w.hasAt(i-1, at) || w.strangerAt[i-1]) || beside(i-1) || beside(i+1)
}

// isDomain reports whether a word and the next are the end of a domain.
func (w *wish) isDomain(i int) bool {
	if i+1 >= len(w.tokens) || w.tokens[i+1].start != w.tokens[i].end+1 || w.text[w.tokens[i].end] != '.' || strings.Contains(w.text, "://") {
		return false
	}
	switch w.tokens[i+1].text {
	case "com", "net", "org", "io", "eu", "de", "at", "ch", "fr", "es", "pt", "br", "it", "nl", "be", "pl", "jp", "cn", "kr", "uk", "co", "onmicrosoft":
		return true
	}
	return false
}

// capitalised returns the folded words of a text that begin with a capital.
func capitalised(text string) map[string]bool {
	out := map[string]bool{}
	for field := range strings.FieldsFuncSeq(clip(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if r, _ := utf8.DecodeRuneInString(field); unicode.IsUpper(r) {
			out[fold(field)] = true
		}
	}
	return out
}
