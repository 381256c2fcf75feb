package ledger

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

func (h *house) export(format Format, f Filter) string {
	h.t.Helper()
	var out bytes.Buffer
	h.must(h.Export(ctx(), &out, format, f))
	return out.String()
}

// audit does what an auditor does who has the export, the head file and the
// public key file.
func (h *house) audit(export string, head Head) (Report, error) {
	h.t.Helper()
	public, err := h.PublicKey(ctx())
	h.must(err)
	text, err := MarshalPublicKey(public)
	h.must(err)
	public, err = ParsePublicKey(text)
	h.must(err)
	file, err := json.MarshalIndent(head, "", "  ")
	h.must(err)
	head, err = ParseHead(file)
	h.must(err)
	return VerifyExport(strings.NewReader(export), []Head{head}, public)
}

func (h *house) head() Head {
	h.t.Helper()
	head, err := h.Head(ctx())
	h.must(err)
	return head
}

func TestExportIsVerifiedWithThePublicKeyAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head := h.head()
		h.fill(2)
		for name, test := range map[string]struct {
			filter   Filter
			withheld int64
		}{
			"all":        {Filter{}, 0},
			"one tenant": {Filter{Tenant: "CONTOSO"}, 7},
			"limited":    {Filter{Limit: 2}, 13},
			"approvers":  {Filter{Kind: guard.KindUser}, 12},
		} {
			t.Run(name, func(t *testing.T) {
				report, err := h.audit(h.export(FormatJSONL, test.filter), head)
				if err != nil || !report.Whole() || report.Attested != 13 || report.Last != 15 || report.Withheld != test.withheld {
					t.Errorf("%+v %v", report, err)
				}
			})
		}
	})
}

func TestChangedExportIsNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head := h.head()
		whole := strings.SplitAfter(h.export(FormatJSONL, Filter{Tenant: "contoso"}), "\n")
		whole = whole[:len(whole)-1]
		for name, test := range map[string]struct {
			change func(lines []string) []string
			seq    int64
		}{
			"changed": {func(l []string) []string { l[3] = strings.Replace(l[3], "1234567", "7654321", 1); return l }, 3},
			"second key": {func(l []string) []string {
				l[3] = strings.Replace(l[3], `{"seq":3,`, `{"seq":3,"event":{},`, 1)
				return l
			}, 3},
			"a space":           {func(l []string) []string { l[3] = strings.Replace(l[3], `,`, `, `, 1); return l }, 3},
			"withheld, changed": {func(l []string) []string { l[8] = strings.Replace(l[8], `"withheld":"`, `"withheld":"0`, 1); return l }, 8},
			"removed":           {func(l []string) []string { return slices.Delete(l, 4, 5) }, 4},
			"cut":               {func(l []string) []string { return l[:9] }, 9},
			"reordered":         {func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 3},
			"doubled":           {func(l []string) []string { return slices.Insert(l, 4, l[3]) }, 3},
			"no line at all":    {func(l []string) []string { return l[:1] }, 1},
			"other ledger": {func(l []string) []string {
				l[0] = strings.Replace(l[0], h.ledgerID(), strings.Repeat("0", 32), 1)
				return l
			}, 0},
		} {
			t.Run(name, func(t *testing.T) {
				report, err := h.audit(strings.Join(test.change(slices.Clone(whole)), ""), head)
				if err != nil {
					t.Fatal(err)
				}
				if !findsAt(report, test.seq, "") || report.Attested != 0 {
					t.Errorf("%+v", report)
				}
			})
		}
		for _, text := range []string{"", "\n", "{}\n", whole[1]} {
			if _, err := h.audit(text, head); err == nil {
				t.Errorf("%q is an export", text)
			}
		}
	})
}

func (h *house) ledgerID() string {
	h.t.Helper()
	db, err := h.use(ctx())
	h.must(err)
	return db.id
}

// The plain chain can be recomputed by anybody; the head stops it.
func TestRecomputedChainFailsAgainstHead(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head := h.head()
		h.sql(h.rewritten(5)...)
		report, err := h.audit(h.export(FormatJSONL, Filter{}), head)
		if err != nil || !findsAt(report, 13, "the ledger was rewritten") {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		for _, reason := range []string{"=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain, with \"quotes\"\nand lines", "é=1"} {
			i := intent("stdio", "contoso", "1234567")
			i.Reason = reason
			_, err := h.Append(ctx(), event(guard.KindIntent, i))
			h.must(err)
		}
		rows, err := csv.NewReader(strings.NewReader(h.export(FormatCSV, Filter{Limit: 8}))).ReadAll()
		h.must(err)
		at := slices.Index(rows[0], "reason")
		var got []string
		for _, row := range rows[1:] {
			got = append(got, row[at])
		}
		want := []string{"'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "plain, with \"quotes\"\nand lines", "é=1"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if at := rows[1][slices.Index(rows[0], "time")]; at != "2026-03-04T12:00:00.123456789Z" {
			t.Error(at)
		}
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("canary") }

func TestFailedExportIsReported(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		for _, format := range []Format{FormatJSONL, FormatCSV} {
			problemOf(t, h.Export(ctx(), fullDisk{}, format, Filter{}), "vault_unavailable", "The export cannot be written")
		}
		problemOf(t, h.Export(ctx(), &bytes.Buffer{}, "xml", Filter{}), "invalid_argument", "jsonl or csv")
	})
}

func TestFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		for n, tenant := range []string{"contoso", "fabrikam", "contoso", "adatum"} {
			e := event(guard.KindIntent, intent("caller of "+tenant, tenant, "1234567"))
			e.Time = noon().Add(time.Duration(n) * time.Minute)
			e.Approver = map[bool]string{true: "ada"}[n == 2]
			_, err := h.Append(ctx(), e)
			h.must(err)
		}
		for name, test := range map[string]struct {
			filter Filter
			want   []int64
		}{
			"all":       {Filter{}, []int64{1, 2, 3, 4}},
			"tenant":    {Filter{Tenant: "Contoso"}, []int64{1, 3}},
			"tenant ID": {Filter{Tenant: identity1("fabrikam").TenantID}, []int64{2}},
			"since":     {Filter{Since: noon().Add(2 * time.Minute)}, []int64{3, 4}},
			"until":     {Filter{Until: noon().Add(2 * time.Minute)}, []int64{1, 2}},
			"caller":    {Filter{Caller: "caller of adatum"}, []int64{4}},
			"approver":  {Filter{Approver: "ada"}, []int64{3}},
			"kind":      {Filter{Kind: guard.KindOutcome}, nil},
			"page":      {Filter{After: 1, Limit: 2}, []int64{2, 3}},
			"newest":    {Filter{NewestFirst: true, After: 4, Limit: 2}, []int64{3, 2}},
			"hostile":   {Filter{Tenant: "' OR 1=1 --"}, nil},
			"together":  {Filter{Tenant: "contoso", Since: noon().Add(time.Second), Kind: guard.KindIntent}, []int64{3}},
		} {
			events, err := h.List(ctx(), test.filter)
			h.must(err)
			var got []int64
			for _, e := range events {
				got = append(got, e.Seq)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

func TestPruneLeavesACheckpoint(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(6)
		h.put("ap_1")
		h.must(h.SetFreeze(ctx(), guard.Freeze{Writes: true, Reason: "audit"}, event(guard.KindFreeze, guard.Intent{})))
		early := h.head()
		h.clock.Advance(48 * time.Hour)
		later := event(guard.KindRefusal, guard.Intent{})
		later.Time = h.clock.Now()
		_, err := h.Append(ctx(), later)
		h.must(err)
		c, err := h.Prune(ctx(), noon().Add(time.Hour))
		h.must(err)
		if c.Seq != 8 || c.Removed != 8 || c.Count != 1 {
			t.Errorf("%+v", c)
		}
		report := h.whole()
		if report.First != 9 || report.Entries != 2 || report.Checkpoint == nil {
			t.Errorf("%+v", report)
		}
		if f, err := h.Freeze(ctx()); f.Reason != "audit" || err != nil {
			t.Error("the freeze was lost:", f, err)
		}
		if report := h.verify(&early); !report.Whole() || report.Attested != 8 {
			t.Errorf("%+v", report)
		}
		h.gone("contoso")
		head := h.head()
		h.fill(2)
		report, err = h.audit(h.export(FormatJSONL, Filter{Kind: KindPrune}), head)
		if err != nil || !report.Whole() || report.Attested != head.Seq {
			t.Errorf("%+v %v", report, err)
		}
		if c, err = h.Prune(ctx(), noon().Add(time.Hour)); err != nil || c.Seq != 0 {
			t.Error("nothing was left to prune:", c, err)
		}
	})
}

// gone looks for text in the files as they are on the disk.
func (h *house) gone(text string) {
	h.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		file, err := os.ReadFile(h.name + suffix)
		if err == nil && bytes.Contains(file, []byte(text)) {
			h.t.Errorf("%q is in ledger.db%s still", text, suffix)
		}
	}
}

// What would show that somebody changed the record is not removed.
func TestPruneKeepsARecordThatWasChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		h.sql(`UPDATE events SET body = replace(body, '1234567', '7654321') WHERE seq = 3`)
		_, err := h.Prune(ctx(), noon().Add(time.Hour))
		problemOf(t, err, problems.CodeVaultCorrupt, "entry 3 was changed")
		if report := h.verify(nil); report.Entries != 13 || report.Findings[0].Seq != 3 {
			t.Errorf("%+v", report)
		}
	})
}

func TestPruneStopsAtAnUnfinishedIntent(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(4)
		last, err := h.Append(ctx(), event(guard.KindIntent, intent("stdio", "contoso", "1234567")))
		h.must(err)
		h.fill(4)
		c, err := h.Prune(ctx(), noon().Add(time.Hour))
		h.must(err)
		if open, err := h.Unfinished(ctx()); err != nil || len(open) != 1 || open[0].Seq != last || c.Seq != last-1 {
			t.Errorf("%+v %v %+v", open, err, c)
		}
		h.whole()
	})
}

func TestPruneKeepsLiveTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.put("ap_2")
		_, _, err := h.SpendTicket(ctx(), "ap_2", event(guard.KindConfirmed, guard.Intent{}))
		h.must(err)
		_, err = h.Prune(ctx(), noon().Add(time.Minute))
		h.must(err)
		h.whole()
		for id, want := range map[string]bool{"ap_1": true, "ap_2": false} {
			if spent, _, err := h.SpendTicket(ctx(), id); spent != want || err != nil {
				t.Errorf("%s: %v %v", id, spent, err)
			}
		}
		h.clock.Advance(2 * time.Hour)
		_, err = h.Prune(ctx(), h.clock.Now())
		h.must(err)
		if tickets, err := h.Tickets(ctx(), 10); len(tickets) > 0 || err != nil {
			t.Error(tickets, err)
		}
		h.whole()
	})
}
