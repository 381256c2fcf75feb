package search

import (
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// why says in one sentence what speaks for an operation. It quotes the words
// that were matched, which are the caller's own, cleaned like untrusted text.
func (w *wish) why(o schemas.Operation) string {
	return w.purpose(o) + w.quoted() + "."
}

func (w *wish) purpose(o schemas.Operation) string {
	many := w.meansMany() && slices.Contains(argumentNames(o.Input), "tenant")
	switch {
	case many && o.Name != schemas.ToolListTenants:
		return "Works on one tenant a call, so call it for each"
	case o.Effect.Writes() && !w.allows(o):
		return "Only if a change is wanted after all; the words ask to look first"
	case o.Effect == schemas.EffectDestroy:
		return "The words ask to replace or remove something"
	case o.Effect == schemas.EffectWrite:
		return "The words ask for a new link"
	}
	return "Reads and changes nothing"
}

// quotes is the most words that are quoted.
const quotes = 3

func (w *wish) quoted() string {
	var words []string
	for _, h := range w.hits {
		if worth(h.concept) < 0.2 || len(words) == quotes {
			continue
		}
		text := schemas.Sanitize(w.text[w.tokens[h.first].start:w.tokens[h.last].end])
		if text != "" && len(text) <= 40 && !slices.Contains(words, text) {
			words = append(words, text)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ": “" + strings.Join(words, "”, “") + "”"
}

// unclear is the answer to words that could mean anything.
func unclear() *schemas.OutOfScope {
	return &schemas.OutOfScope{
		Reason:     "It is not clear what is asked: say what to do (check, register, change, remove) and in which tenant.",
		UseInstead: []schemas.UseInstead{},
	}
}
