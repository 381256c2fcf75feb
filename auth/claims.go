package auth

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// claims are the members of a token's header or payload.
type claims map[string]json.RawMessage

func (c claims) has(name string) bool { return c[name] != nil }

// text returns a claim that is a string and not empty.
func (c claims) text(name string) (string, bool) {
	var text string
	if c[name] == nil || json.Unmarshal(c[name], &text) != nil || text == "" {
		return "", false
	}
	return text, true
}

// list returns a claim that is a string or an array of strings; another form
// counts as empty.
func (c claims) list(path ...string) []string {
	raw := c.at(path)
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

func (c claims) at(path []string) json.RawMessage {
	raw := c[path[0]]
	for _, name := range path[1:] {
		var inner claims
		if json.Unmarshal(raw, &inner) != nil {
			return nil
		}
		raw = inner[name]
	}
	return raw
}

// words splits each item of a list at spaces, as scopes are written.
func (c claims) words(name string) []string {
	var words []string
	for _, item := range c.list(name) {
		words = append(words, strings.Fields(item)...)
	}
	return words
}

// lastInstant is the end of the year 9999 in Unix seconds.
const lastInstant = 253402300799

// instant returns a claim that is a time, or an error for another value.
func (c claims) instant(name string) (at time.Time, given bool, err error) {
	if !c.has(name) {
		return time.Time{}, false, nil
	}
	var seconds float64
	if string(c[name]) == "null" || json.Unmarshal(c[name], &seconds) != nil || seconds < 0 || seconds > lastInstant {
		return time.Time{}, true, errClaims
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true, nil
}
