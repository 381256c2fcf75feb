package search

import (
	"reflect"
	"slices"
	"strings"
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
func (w *wish) arguments(names []string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		if value := w.argument(name, names); value != nil {
			out[name] = value
		}
	}
	return out
}

// argument returns the value of one argument, or nil where nothing was said.
func (w *wish) argument(name string, all []string) any {
	old, now := w.fromTo()
	switch name {
	case "tenant":
		if slices.Contains(all, "discover") && !w.has[reach] {
			return nil // list_tenants takes a tenant only to ask with its credential
		}
		return said(w.oneTenant())
	case "tenants":
		return several(w.allTenants())
	case "partner_id":
		return said(w.partnerID(all, old, now))
	case "expected_current_partner_id":
		return said(old)
	case "expected_partner_id", "to":
		return said(now)
	case "from":
		return several(w.sources(old, now))
	case "discover":
		return yes(w.has[reach])
	case "approval_id":
		return said(w.entities.approval)
	case "run_id":
		return said(w.entities.run)
	case "stale_after_days":
		return days(w.entities.days)
	case "query":
		return said(w.query())
	}
	return nil
}

func said(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func several(texts []string) any {
	if len(texts) == 0 {
		return nil
	}
	return texts
}

func yes(b bool) any {
	if !b {
		return nil
	}
	return true
}

func days(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// query is the utterance itself, for the tool that takes one.
func (w *wish) query() string {
	if len(w.asked) > 1000 {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(w.asked, ""))
}

// oneTenant is the tenant named, when it is one and only one.
func (w *wish) oneTenant() string {
	if len(w.entities.tenants) != 1 || len(w.entities.tenants[0]) != 1 {
		return ""
	}
	return w.entities.tenants[0][0]
}

// allTenants are the tenants named, unless one of the names is ambiguous.
func (w *wish) allTenants() []string {
	var out []string
	for _, group := range w.entities.tenants {
		if len(group) != 1 {
			return nil
		}
		if !slices.Contains(out, group[0]) {
			out = append(out, group[0])
		}
	}
	return out
}

// partnerID is the ID that a tool acts on: for a change the new one, else the
// one linked now.
func (w *wish) partnerID(all []string, old, now string) string {
	if slices.Contains(all, "expected_current_partner_id") {
		return now
	}
	if w.act == removes && old != "" {
		return old
	}
	if now == "" {
		return old
	}
	return now
}

func (w *wish) sources(old, now string) []string {
	var out []string
	for _, m := range w.entities.ids {
		if m.id != now {
			out = append(out, m.id)
		}
	}
	if len(out) == 0 && old != "" {
		out = append(out, old)
	}
	return out
}

// fromTo tells the old partner ID from the new one. Of two IDs the first is
// the old one unless the words say otherwise; a single one is new unless the
// words call it old.
func (w *wish) fromTo() (old, now string) {
	ids := w.entities.ids
	switch len(ids) {
	case 0:
		return "", ""
	case 1:
		if w.act == updates && w.age(ids[0]) < 0 {
			return ids[0].id, ""
		}
		return "", ids[0].id
	}
	a, b := ids[0], ids[1]
	if w.age(a) > w.age(b) || w.age(a) == w.age(b) && w.toOneFromOther() {
		a, b = b, a
	}
	return a.id, b.id
}

// age is below 0 for an ID that is called old, above 0 for a new one.
func (w *wish) age(m partnerMention) int {
	age := 0
	for _, h := range w.hits {
		gap := m.at - h.last
		behind := h.first - m.at
		near := nearWords
		if h.glyphs {
			near = nearGlyphs
		}
		switch {
		case gap > 0 && gap <= near && w.clear(h.last, m.at):
			age += before(h, gap)
		case behind == 1:
			age += after(h)
		}
	}
	return age
}

// clear reports whether no other entity stands between two tokens.
func (w *wish) clear(from, to int) bool {
	return !slices.ContainsFunc(w.tokens[from+1:to], func(t token) bool { return t.text == slotID || t.kind == arrow })
}

// before weighs a word that stands some tokens before an ID.
func before(h hit, gap int) int {
	switch h.concept {
	case oldID, insteadOf, nolonger:
		return -4
	case newID:
		return 4
	case from:
		if gap == 1 && !h.glyphs {
			return -2
		}
	case to:
		if gap == 1 {
			return 2
		}
	}
	return 0
}

// after weighs a word right after an ID: particles of Japanese and Korean, and
// "1234567 to ...".
func after(h hit) int {
	switch h.concept {
	case from:
		return -2
	case to:
		if h.glyphs {
			return 1
		}
		return -1
	case insteadOf:
		if h.glyphs {
			return -4
		}
		return 2
	}
	return 0
}
