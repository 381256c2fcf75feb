package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/ledger"
	"mcp-partner/schemas/problems"
)

const (
	// entriesListed is a page of the record, readAtOnce how many entries are read at a
	// time, and readAtMost after how many that the person does not see a page is cut.
	entriesListed = 100
	readAtOnce    = 500
	readAtMost    = 20 * readAtOnce
	// verifyWithin bounds a verification that somebody waits for.
	verifyWithin = 50 * time.Second
)

// seesEntry reports whether an entry is for a person: those about customers that they
// were given, and all others for who was given every customer.
func (v *visit) seesEntry(e guard.Event) bool {
	return v.by.Grant.Everywhere() || e.Tenant != "" && v.by.Grant.AllowsTenant(e.Tenant)
}

// filterOf reads what entries are asked for out of an address. What is no day is an
// error: a search without its bound would look like an answer.
func filterOf(asked url.Values) (f ledger.Filter, approval string, err error) {
	day := func(name string) (at time.Time) {
		text := strings.TrimSpace(asked.Get(name))
		if text == "" || err != nil {
			return at
		}
		if at, err = time.Parse(time.DateOnly, text); err != nil {
			err = problems.New(problems.CodeInvalidArgument, "From and Until take a day, such as 2026-12-31.", problems.WithHint("Go back and correct it."))
		}
		return at
	}
	f = ledger.Filter{
		Tenant: strings.TrimSpace(asked.Get("tenant")), Caller: strings.TrimSpace(asked.Get("caller")), Approver: strings.TrimSpace(asked.Get("approver")),
		Kind: guard.EventKind(asked.Get("kind")), Since: day("from"), Until: day("until"), NewestFirst: true,
	}
	if !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1) // the day itself is meant too
	}
	f.After, _ = strconv.ParseInt(asked.Get("after"), 10, 64)
	return f, strings.TrimSpace(asked.Get("approval")), err
}

// entries returns a page of what the person sees, and behind which entry the next one
// begins, 0 behind the last.
func (c *Console) entries(v *visit, f ledger.Filter, approval string) (found []guard.Event, next int64, err error) {
	f.Limit = readAtOnce
	for read := 0; read < readAtMost; read += readAtOnce {
		some, err := c.o.Record.List(v.r.Context(), f)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range some {
			if v.seesEntry(e) && (approval == "" || e.Approval == approval) {
				found = append(found, e)
			}
			if f.After = e.Seq; len(found) == entriesListed {
				return found, f.After, nil
			}
		}
		if len(some) < readAtOnce {
			return found, 0, nil
		}
	}
	return found, f.After, nil
}

func (c *Console) showRecord(v *visit) error {
	asked := v.r.URL.Query()
	f, approval, err := filterOf(asked)
	if err != nil {
		return err
	}
	list, next, err := c.entries(v, f, approval)
	if err != nil {
		return err
	}
	body := []page.Node{recordSearch(asked), page.P("The record says what was asked for, decided, done and refused. Nothing in it can be changed unseen.")}
	if len(list) == 0 {
		body = append(body, page.P("No entry fits."))
	} else {
		body = append(body, entriesTable(list))
	}
	if next > 0 {
		asked.Set("after", strconv.FormatInt(next, 10))
		body = append(body, page.Link("/console/record?"+asked.Encode(), "Earlier entries"))
	}
	if v.by.Grant.Everywhere() {
		body = append(body, c.wholeRecord(v, asked))
	}
	return v.show("Record", body...)
}

func recordSearch(asked url.Values) page.Node {
	kinds := []string{"", "every kind"}
	for _, kind := range []guard.EventKind{
		guard.KindAsked, guard.KindApproved, guard.KindDeclined, guard.KindConfirmed, guard.KindRefusal, guard.KindIntent, guard.KindOutcome, guard.KindRunOpened,
		guard.KindRunEnded, guard.KindFreeze, guard.KindUnfreeze, guard.KindDirectory, guard.KindSecret, guard.KindPolicy, guard.KindUser, guard.KindSignIn,
		guard.KindClient, guard.KindConsent, guard.KindToken, guard.KindSchedule, guard.KindChange, guard.KindAcknowledged, guard.KindUndelivered,
	} {
		kinds = append(kinds, string(kind), string(kind))
	}
	field := func(name, label string) page.Node { return page.Field(name, label, asked.Get(name)) }
	return page.Search("/console/record", field("tenant", "Customer"), field("caller", "Asked by"), field("approver", "Decided by"), field("approval", "Approval"),
		page.Choice("kind", "Kind", asked.Get("kind"), kinds...), field("from", "From, as 2026-12-31"), field("until", "Until"))
}

func entriesTable(list []guard.Event) page.Node {
	rows := xslices.Map(list, func(e guard.Event) []page.Node {
		return []page.Node{page.Text(strconv.FormatInt(e.Seq, 10)), page.Time(e.Time), page.Untrusted(e.Tenant), eventNode(e)}
	})
	return page.Listing("Entries", []string{"#Entry", "When", "Customer", "What"}, rows...)
}

// wholeRecord is for who sees all of it: its end, its files, and whether it is whole.
func (c *Console) wholeRecord(v *visit, asked url.Values) page.Node {
	asked.Del("after")
	at := func(format string) string {
		asked.Set("format", format)
		return "/console/record/export?" + asked.Encode()
	}
	content := []page.Node{page.Row(page.Download(at("csv"), "These entries as CSV"), page.Download(at("jsonl"), "These entries as JSON lines"), page.Download("/console/record/head", "The head of the record"))}
	if head, err := c.o.Record.Head(v.r.Context()); err == nil {
		content = append(content, page.Line(page.Text(fmt.Sprintf("The record ends with entry %d. Keep its head elsewhere: it shows later that nothing before it was changed.", head.Seq))))
	}
	return page.Section("whole", "The whole record", append(content, page.Form("/console/record/verify", v.session.FormToken(), page.Button("", "", "Verify the record", false)))...)
}

func (c *Console) showEntry(v *visit) error {
	seq, err := strconv.ParseInt(v.r.PathValue("seq"), 10, 64)
	if err != nil || seq < 1 {
		return errNotHere
	}
	around, err := c.o.Record.List(v.r.Context(), ledger.Filter{After: max(seq-3, 0), Limit: 5})
	if err != nil {
		return err
	}
	entry, ok := xslices.Find(around, func(e guard.Event) bool { return e.Seq == seq })
	if !ok || !v.seesEntry(entry) {
		return errNotHere
	}
	neighbours := xslices.Filter(around, v.seesEntry)
	return v.show(fmt.Sprintf("Entry %d", seq), entryFacts(entry), page.Section("around", "Around it", entriesTable(neighbours)))
}

// entryFacts are all fields of an entry, as they are recorded.
func entryFacts(e guard.Event) page.Node {
	facts := []page.Node{page.Text("When"), page.Time(e.Time)}
	text, err := json.Marshal(e)
	fields := map[string]any{}
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return nil // never: an entry was read from JSON
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "time" {
			continue
		}
		value, isText := fields[name].(string)
		if !isText {
			text, _ := json.Marshal(fields[name]) // of JSON
			value = string(text)
		}
		facts = append(facts, page.Text(strings.ReplaceAll(name, "_", " ")), page.Untrusted(value))
	}
	return page.Facts(facts...)
}

// verifyRecord compares the record with itself, which reads all of it.
func (c *Console) verifyRecord(v *visit) error {
	if !v.by.Grant.Everywhere() {
		return errNotHere
	}
	if !c.verifying.TryLock() {
		return problems.New(problems.CodeVaultUnavailable, "Somebody has the record verified at this moment.", problems.WithHint("Try again in a minute."))
	}
	defer c.verifying.Unlock()
	ctx, cancel := context.WithTimeout(v.r.Context(), verifyWithin)
	defer cancel()
	report, err := c.o.Record.Verify(ctx, nil)
	if err != nil {
		return err
	}
	verdict := page.Line(page.State("good", "Whole"), page.Text(fmt.Sprintf(": entries %d to %d are as they were written.", report.First, report.Last)))
	if !report.Whole() {
		verdict = page.Problem("The record is not what was written. Stop writes, and tell the operator of this server.", "", "mcp-partner ledger verify")
	}
	findings := xslices.Map(report.Findings, func(f ledger.Finding) page.Node { return page.Untrusted(strings.TrimSpace(f.Row + " " + f.What)) })
	notes := xslices.Map(report.Notes, page.Text)
	return v.show("The record, verified", verdict, page.List(findings...), page.List(notes...), page.Link("/console/record", "Back to the record"))
}

// exportRecord writes the entries that a filter selects as a file.
func (c *Console) exportRecord(v *visit) error {
	f, approval, err := filterOf(v.r.URL.Query())
	if err != nil {
		return err
	}
	format := ledger.Format(v.r.URL.Query().Get("format"))
	if !v.by.Grant.Everywhere() || approval != "" || format != ledger.FormatCSV && format != ledger.FormatJSONL {
		return errNotHere
	}
	f.NewestFirst, f.After = false, 0
	return v.file("application/octet-stream", "record."+string(format), func(w io.Writer) error { return c.o.Record.Export(v.r.Context(), w, format, f) })
}

func (c *Console) downloadHead(v *visit) error {
	if !v.by.Grant.Everywhere() {
		return errNotHere
	}
	head, err := c.o.Record.Head(v.r.Context())
	if err != nil {
		return err
	}
	return v.file("application/json", fmt.Sprintf("head-%d.json", head.Seq), func(w io.Writer) error { return json.NewEncoder(w).Encode(head) })
}

// recordRoutes are those of the record.
func (c *Console) recordRoutes() []route {
	reads := []access.Scope{access.ScopeRead}
	return []route{
		{"GET", "/console/record", reads, c.showRecord},
		{"GET", "/console/record/export", reads, c.exportRecord},
		{"GET", "/console/record/head", reads, c.downloadHead},
		{"POST", "/console/record/verify", reads, c.verifyRecord},
		{"GET", "/console/record/{seq}", reads, c.showEntry},
	}
}
