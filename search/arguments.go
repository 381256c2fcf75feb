package search

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// arguments returns what the utterance says for the arguments that a tool has.
func (r *reading) arguments(tool string, names []string) map[string]any {
	old, now := r.fromTo(tool)
	tenants, one := r.allTenants(), ""
	if len(tenants) == 1 {
		one = tenants[0]
	}
	out := map[string]any{
		"tenant": one, "tenants": tenants, "subscriptions": r.entities.guids, "discover": r.has(reach),
		"approval_id": r.entities.approval, "run_id": r.entities.run, "stale_after_days": r.entities.days,
		"partner_id": now, "expected_partner_id": now, "expected_current_partner_id": old, "to": now, "from": r.others(now),
	}
	switch {
	case tool == schemas.ToolListTenants && !r.has(reach):
		delete(out, "tenant") // it takes a tenant only to ask with its credential
	case tool == schemas.ToolRemovePartner && old != "" || now == "" && tool != schemas.ToolUpdatePartner:
		out["partner_id"] = old
	}
	if len(r.asked) <= 1000 { // the longest query that find_partner_tool takes
		out["query"] = strings.TrimSpace(strings.ToValidUTF8(r.asked, ""))
	}
	maps.DeleteFunc(out, func(name string, value any) bool {
		return !slices.Contains(names, name) || reflect.ValueOf(value).IsZero()
	})
	return out
}

// allTenants are the tenants named, unless one of the names is ambiguous.
func (r *reading) allTenants() []string {
	var out []string
	for _, group := range r.entities.tenants {
		if len(group) != 1 {
			return nil
		}
		out = append(out, group[0])
	}
	return out
}

// others are the partner IDs named besides the new one.
func (r *reading) others(now string) []string {
	var out []string
	for _, m := range r.entities.ids {
		if m.id != now {
			out = append(out, m.id)
		}
	}
	return out
}

// fromTo tells the old partner ID from the new one. Of two the first is old, but none
// to register, and a single one is new, unless the words say otherwise.
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
	case r.age(ids[0]) > r.age(ids[1]):
		return ids[1].id, ids[0].id
	case tool == schemas.ToolRegisterPartner && r.age(ids[0]) == r.age(ids[1]):
		return "", ""
	}
	return ids[0].id, ids[1].id
}

// ages weigh the words beside an ID; particles of Japanese and Korean stand after it.
var ages = map[string]struct{ near, before, after, glyphAfter int }{
	oldID:     {near: -4},
	nolonger:  {near: -4},
	negates:   {near: -3},
	newID:     {near: 4},
	insteadOf: {near: -4, after: 2, glyphAfter: -4},
	from:      {before: -2, glyphAfter: -2},
	to:        {before: 2, after: -1, glyphAfter: 1},
}

// age is below 0 for an ID that is called old, above 0 for a new one. "Not" makes
// one old after "should be" or "is" alone: "carries 1, not 2" says what is there.
func (r *reading) age(m partnerMention) int {
	sum := 0
	said := listed("is", r.wordAt(r.entities.ids[0].at-1))
	for _, h := range slices.Concat(r.hits, r.inner) {
		age, gap, reach := ages[h.concept], m.at-h.last, nearWords
		particle := h.glyphs && (h.concept != insteadOf || r.language != "zh")
		if particle {
			age.after, reach = age.glyphAfter, nearGlyphs
		}
		switch {
		case h.concept == negates && !said && !r.some(shall, func(s hit) bool { return s.first < h.first }):
		case h.first == m.at+1:
			sum += age.after
		case gap == 1 && !(particle && (h.concept == from || h.concept == insteadOf)):
			sum += age.near + age.before
		case gap > 1 && gap <= reach:
			sum += age.near
		}
	}
	return sum
}
