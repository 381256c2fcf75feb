package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"mcp-partner/schemas"
)

// missing finds rows that the record tells of and that are not there.
func (v *verifier) missing(there map[string]bool) {
	expected := map[string]bool{ref(stateFreeze, theFreeze): true}
	for name, last := range v.latest {
		expected[name] = expected[name] || !last.gone
	}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if expected[name] && !there[name] {
			v.report.findRow(plain(name), "the row was removed by another program")
		}
	}
}

// againstHead compares the record with a head that was kept elsewhere.
func (v *verifier) againstHead(ctx context.Context) error {
	if v.head == nil {
		return nil
	}
	public, err := v.l.PublicKey(ctx)
	if err != nil {
		return err
	}
	if err := VerifyHead(public, *v.head); err != nil {
		v.report.find(0, "the head is not valid: %s", schemas.AsProblem(err).Message)
		return nil
	}
	v.report.compareHead(*v.head, v.db.id, v.began, v.attested, v.found)
	return nil
}

// compareHead says what a genuine head tells of a record that begins after
// entry began. attested is the hash of the entry that the head names.
func (r *Report) compareHead(head Head, ledgerID string, began int64, attested digest, found bool) {
	switch c := r.Checkpoint; {
	case head.Ledger != ledgerID:
		r.find(0, "the head is of another ledger, %s", plain(head.Ledger))
	case head.Seq == began && c != nil && head.Hash != c.Hash,
		head.Seq == 0 && head.Hash != hex.EncodeToString(genesis(ledgerID)):
		r.find(head.Seq, "entry %d differs from the head", head.Seq)
	case head.Seq == began:
		r.attest(head.Seq)
	case head.Seq < began:
		r.Notes = append(r.Notes, fmt.Sprintf("The head names entry %d, which was pruned, so it cannot be compared.", head.Seq))
	case !found && head.Seq > r.Last:
		r.missing(max(r.Last, began)+1, head.Seq, fmt.Sprintf(": the head names entry %d", head.Seq))
	case !found:
		r.find(head.Seq, "entry %d is missing: the head names it", head.Seq)
	case hex.EncodeToString(attested[:]) != head.Hash:
		r.find(head.Seq, "entry %d or an earlier one differs from the head: the ledger was rewritten", head.Seq)
	default:
		r.attest(head.Seq)
	}
}

func genesis(ledgerID string) []byte {
	d := genesisHash(ledgerID)
	return d[:]
}

// plain makes text out of the file fit for a terminal.
func plain(text string) string { return schemas.Sanitize(text) }
