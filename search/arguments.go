package search

import (
	"reflect"
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// argumentNames lists the JSON names of an input type, embedded ones included.
func argumentNames(input any) []string {
	t := reflect.TypeOf(input)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && f.IsExported() && name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// arguments returns what the utterance says for the arguments that a tool has.
func (r *reading) arguments(tool string, names []string) map[string]any {
	out := map[string]any{}
	old, now := r.fromTo(tool)
	for _, name := range names {
		switch value := r.argument(tool, name, old, now).(type) {
		case string:
			if value != "" {
				out[name] = value
			}
		case []string:
			if len(value) > 0 {
				out[name] = value
			}
		case int:
			if value > 0 {
				out[name] = value
			}
		case bool:
			if value {
				out[name] = value
			}
		}
	}
	return out
}

// maxQuery is the longest query that find_partner_tool takes.
const maxQuery = 1000

// argument returns the value of one argument; zero or nil where nothing was said.
func (r *reading) argument(tool, name, old, now string) any {
	switch name {
	case "tenant":
		if tool == schemas.ToolListTenants && !r.has[reach] {
			return nil // it takes a tenant only to ask with its credential
		}
		return r.oneTenant()
	case "subscriptions":
		return r.entities.guids
	case "tenants":
		return r.allTenants()
	case "discover":
		return r.has[reach]
	case "approval_id":
		return r.entities.approval
	case "run_id":
		return r.entities.run
	case "stale_after_days":
		return r.entities.days
	case "query":
		if len(r.asked) <= maxQuery {
			return strings.TrimSpace(strings.ToValidUTF8(r.asked, ""))
		}
	}
	return r.partnerArgument(tool, name, old, now)
}

// partnerArgument returns the value of an argument that is a partner ID.
func (r *reading) partnerArgument(tool, name, old, now string) any {
	switch name {
	case "partner_id":
		if tool == schemas.ToolRemovePartner && old != "" || now == "" && tool != schemas.ToolUpdatePartner {
			return old
		}
		return now
	case "expected_current_partner_id":
		return old
	case "expected_partner_id", "to":
		return now
	case "from":
		return r.sources(old, now)
	}
	return nil
}

// oneTenant is the tenant named, when it is one and only one.
func (r *reading) oneTenant() string {
	if all := r.allTenants(); len(all) == 1 && len(r.entities.tenants) == 1 {
		return all[0]
	}
	return ""
}

// allTenants are the tenants named, unless one of the names is ambiguous.
func (r *reading) allTenants() []string {
	var out []string
	for _, group := range r.entities.tenants {
		if len(group) != 1 {
			return nil
		}
		if !slices.Contains(out, group[0]) {
			out = append(out, group[0])
		}
	}
	return out
}

func (r *reading) sources(old, now string) []string {
	var out []string
	for _, m := range r.entities.ids {
		if m.id != now {
			out = append(out, m.id)
		}
	}
	if len(out) == 0 && old != "" {
		out = append(out, old)
	}
	return out
}

// fromTo tells the old partner ID from the new one. Of two IDs the first is the
// old one unless the words say otherwise; a single one is new unless the words
// of a change call it old.
func (r *reading) fromTo(tool string) (old, now string) {
	ids := r.entities.ids
	changes := tool == schemas.ToolUpdatePartner || tool == schemas.ToolTransitionPartner
	switch {
	case len(ids) == 0:
		return "", ""
	case len(ids) == 1 && changes && r.age(ids[0]) < 0:
		return ids[0].id, ""
	case len(ids) == 1:
		return "", ids[0].id
	}
	a, b := ids[0], ids[1]
	if r.age(a) > r.age(b) || r.age(a) == r.age(b) && r.toOneFromOther(a.at, b.at) {
		a, b = b, a
	}
	return a.id, b.id
}

// toOneFromOther reports whether the new ID is named first: "to the new number
// 1234567 from 7654321". Scripts of glyphs have their particles behind.
func (r *reading) toOneFromOther(a, b int) bool {
	leads := func(concept string, first, last int) bool {
		return slices.ContainsFunc(slices.Concat(r.hits, r.inner), func(h hit) bool {
			return h.concept == concept && !h.glyphs && h.first >= first && h.last <= last
		})
	}
	return b-a <= nearWords && leads(to, a-nearWords-1, a-1) && leads(from, a+1, b-1) && !leads(to, a+1, b-1)
}

// age is below 0 for an ID that is called old, above 0 for a new one.
func (r *reading) age(m partnerMention) int {
	age := 0
	for _, h := range slices.Concat(r.hits, r.inner) {
		gap, near := m.at-h.last, nearWords
		if h.glyphs {
			near = nearGlyphs
		}
		switch {
		case gap > 0 && gap <= near && !slices.ContainsFunc(r.tokens[h.last+1:m.at], func(t token) bool { return t.text == slotID || t.kind == arrow }):
			age += before(h, gap)
		case h.first-m.at == 1:
			age += after(h)
		}
	}
	return age
}

// before weighs a word that stands some tokens before an ID.
func before(h hit, gap int) int {
	switch {
	case h.concept == oldID || h.concept == insteadOf || h.concept == nolonger:
		return -4
	case h.concept == newID:
		return 4
	case h.concept == from && gap == 1 && !h.glyphs:
		return -2
	case h.concept == to && gap == 1:
		return 2
	}
	return 0
}

// after weighs a word right after an ID: particles of Japanese and Korean, and
// "1234567 to ...".
func after(h hit) int {
	switch {
	case h.concept == from:
		return -2
	case h.concept == to && !h.glyphs:
		return -1
	case h.concept == to:
		return 1
	case h.concept == insteadOf && h.glyphs:
		return -4
	case h.concept == insteadOf:
		return 2
	}
	return 0
}
