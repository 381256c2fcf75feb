package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"mcp-partner/internal/untrusted"
)

// redactor removes from received text what names a tenant, an identity, a
// partner or a person. It recognizes these by their form and names by what the
// directory knows.
type redactor struct{ names []string }

// mark is something that names somebody by what it looks like, and what is
// put in its place.
type mark struct {
	like *regexp.Regexp
	put  string
}

// marks are in the order in which they are taken out.
var marks = sync.OnceValue(func() []mark {
	return []mark{
		{regexp.MustCompile(`\S+@\S+`), "{address}"},
		{regexp.MustCompile(`(?i)\bhttps?://\S+`), "{url}"},
		{regexp.MustCompile(`(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}`), "{guid}"},
		{regexp.MustCompile(`[A-Za-z0-9_+/=-]{32,}`), "{word}"},
		{regexp.MustCompile(`[0-9]{4,}`), "{number}"},
	}
})

func (r redactor) text(text string) string {
	text = untrusted.Sanitize(text)
	for _, name := range r.names {
		if len(name) > 2 {
			text = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(name)).ReplaceAllString(text, "{tenant}")
		}
	}
	for _, one := range marks() {
		text = one.like.ReplaceAllString(text, one.put)
	}
	return text
}

func (r redactor) shape(body []byte) string {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if len(body) == 0 || decoder.Decode(&value) != nil {
		return ""
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(r.emptied("", value, 0)) // texts and lists of them cannot fail
	return strings.TrimSuffix(text.String(), "\n")
}

const deepest = 8

func (r redactor) emptied(name string, value any, depth int) any {
	if depth > deepest {
		return "(deeper)"
	}
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, member := range slices.Sorted(maps.Keys(v)) {
			out[plainName(member)] = r.emptied(member, v[member], depth+1)
		}
		return out
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{r.emptied(name, v[0], depth+1)}
	case string:
		// These say what happened, and not to whom.
		if slices.Contains([]string{"code", "message", "state", "type", "origin"}, name) {
			return r.text(v)
		}
		return "(text)"
	case json.Number:
		return "(number)"
	case nil:
		return nil
	default:
		return "(true or false)"
	}
}

func said(body []byte) (code, shape string) {
	var wire struct {
		Code  *string
		Error *struct{ Code string }
	}
	if json.Unmarshal(body, &wire) != nil {
		return "", ""
	}
	switch {
	case wire.Error != nil && wire.Code != nil:
		return wire.Error.Code, "both shapes at once"
	case wire.Error != nil:
		return wire.Error.Code, "nested"
	case wire.Code != nil:
		return *wire.Code, "flat"
	default:
		return "", ""
	}
}
