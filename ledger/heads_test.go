package ledger

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mcp-partner/guard"
)

// keptElsewhere is a file of heads.
type keptElsewhere struct {
	lines []string
	fails error
}

func (k *keptElsewhere) take(head Head) error {
	if k.fails != nil {
		return k.fails
	}
	line, err := json.Marshal(head)
	k.lines = append(k.lines, string(line))
	return err
}

func (k *keptElsewhere) heads() (seqs []int64, heads []Head, torn int) {
	heads, torn = ParseHeads([]byte(strings.Join(k.lines, "\n")))
	for _, head := range heads {
		seqs = append(seqs, head.Seq)
	}
	return seqs, heads, torn
}

func TestHeadIsPushedOnceAnEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h, elsewhere := build(t), &keptElsewhere{}
		h.fill(2)
		if seq, _, err := h.Unpushed(ctx()); seq != 1 || err != nil {
			t.Error(seq, err)
		}
		elsewhere.fails = errors.New("the disk is full")
		if err := h.PushHead(ctx(), elsewhere.take); !errors.Is(err, elsewhere.fails) {
			t.Error(err)
		}
		elsewhere.fails = nil
		h.must(h.PushHead(ctx(), elsewhere.take))
		h.must(h.second().PushHead(ctx(), elsewhere.take))
		h.reopen()
		h.must(h.PushHead(ctx(), elsewhere.take))
		if seqs, _, _ := elsewhere.heads(); !slices.Equal(seqs, []int64{2}) {
			t.Error(seqs)
		}
		if seq, _, err := h.Unpushed(ctx()); seq != 0 || err != nil {
			t.Error(seq, err)
		}
		h.CountToken("app", "contoso") // is in no entry yet
		h.must(h.PushHead(ctx(), elsewhere.take))
		if seqs, _, _ := elsewhere.heads(); !slices.Equal(seqs, []int64{2, 3}) {
			t.Error(seqs)
		}
		h.whole()
	})
}

// A record that was rewritten with the vault's key, and a lost end with it, differ
// from the heads; the first one that differs is named.
func TestFirstHeadThatDiffersIsNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h, elsewhere := build(t), &keptElsewhere{}
		for range 4 {
			h.fill(2)
			h.must(h.PushHead(ctx(), elsewhere.take))
		}
		elsewhere.lines = slices.Insert(elsewhere.lines, 2, elsewhere.lines[0][:100], "")
		_, heads, torn := elsewhere.heads()
		if report, err := h.Verify(ctx(), heads); err != nil || !report.Whole() || report.Attested != 8 || torn != 1 {
			t.Errorf("%+v %v %d", report, err, torn)
		}
		other := build(t)
		other.fill(4)
		rewritten := other.head()
		for name, test := range map[string]struct {
			heads []Head
			seq   int64
			what  string
		}{
			"another record": {heads: []Head{heads[0], rewritten, heads[3]}, seq: 0, what: "of another ledger"},
			"changed":        {heads: []Head{heads[0], {Format: HeadFormat, Seq: 4, KeyFingerprint: heads[0].KeyFingerprint}}, seq: 0, what: "head of entry 4 is not valid"},
		} {
			report, err := h.Verify(ctx(), test.heads)
			if err != nil || len(report.Findings) != 1 || !findsAt(report, test.seq, test.what) {
				t.Errorf("%s: %+v %v", name, report, err)
			}
		}
		h.must(h.Close())
		h.meanwhile(`DELETE FROM events WHERE seq > 3`)
		h.must(h.keys.forget())
		h.Ledger = nil
		h.reopen()
		h.fill(5) // the numbers are given again
		report, err := h.Verify(ctx(), heads)
		if err != nil || len(report.Findings) != 1 || !findsAt(report, 4, "rewritten") || report.Attested != 2 {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestHeadOfAcceptedGapIsANote(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h, elsewhere := build(t), &keptElsewhere{}
		h.fill(5)
		h.must(h.PushHead(ctx(), elsewhere.take))
		h.meanwhile(`DELETE FROM events WHERE seq > 2`)
		h.reopen()
		_, heads, _ := elsewhere.heads()
		if report, err := h.Verify(ctx(), heads); err != nil || !findsAt(report, 6, "the head names it") {
			t.Errorf("%+v %v", report, err)
		}
		h.must(h.AcceptGap(ctx(), 3, 6, accepted("restored the backup of Monday")))
		report, err := h.Verify(ctx(), heads)
		if err != nil || !report.Whole() || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "alice accepted with entry 8") {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestHeadsOfPrunedEntriesAreNoted(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h, elsewhere := build(t), &keptElsewhere{}
		for range 3 {
			h.fill(2)
			h.must(h.PushHead(ctx(), elsewhere.take))
		}
		_, err := h.Append(ctx(), guard.Event{Time: noon().AddDate(0, 0, 2), Kind: guard.KindRefusal})
		h.must(err)
		_, err = h.Prune(ctx(), noon().AddDate(0, 0, 1))
		h.must(err)
		_, heads, _ := elsewhere.heads()
		report, err := h.Verify(ctx(), heads[:2])
		if err != nil || !report.Whole() || len(report.Notes) != 1 {
			t.Errorf("%+v %v", report, err)
		}
		h.must(h.PushHead(ctx(), elsewhere.take))
		_, heads, _ = elsewhere.heads()
		if report, err := h.Verify(ctx(), heads); err != nil || !report.Whole() || report.Attested != report.Last || len(report.Notes) != 0 {
			t.Errorf("%+v %v", report, err)
		}
	})
}
