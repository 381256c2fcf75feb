package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// HeadFormat names the form of a head and of a checkpoint.
const HeadFormat = "mcp-partner-ledger-head/1"

// Head says where the record ended at some time, signed. Kept elsewhere, it
// shows whether the record was changed or cut before that place. It holds
// nothing that is secret. As JSON it is the file that an auditor gets.
type Head struct {
	Format string `json:"format"`
	// Ledger names the file; Program is the version that made the head.
	Ledger  string `json:"ledger"`
	Program string `json:"program,omitempty"`
	// Seq is the last entry, Hash and MAC are the ends of the two chains in
	// hexadecimal. Count is how many entries the file had; fewer than Seq if
	// some were pruned.
	Seq   int64  `json:"seq"`
	Hash  string `json:"hash"`
	MAC   string `json:"mac"`
	Count int64  `json:"count"`
	// Time is RFC 3339 in UTC, by the clock of the machine that made it.
	Time string `json:"time"`
	// KeyFingerprint names the public key (see Fingerprint).
	KeyFingerprint string `json:"key_fingerprint"`
	// Signature is Ed25519's (RFC 8032) of all other fields.
	Signature []byte `json:"signature,omitempty"`
}

// signed returns the bytes that a signature covers: a tag, and the JSON of the
// value without its signature.
func signed(tag string, value any) []byte {
	text, _ := json.Marshal(value) // strings, numbers and bytes: nothing can fail
	return append([]byte(tag), text...)
}

func (h Head) message() []byte {
	h.Signature = nil
	return signed(tagHead, h)
}

func (h Head) signatureFits(key ed25519.PublicKey) bool {
	return fits(key, h.message(), h.Signature)
}

func fits(key ed25519.PublicKey, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
}

// newHead describes a link, not yet signed.
func (l *Ledger) newHead(id string, at link, count int64, key ed25519.PrivateKey) Head {
	return Head{
		Format: HeadFormat, Ledger: id, Program: l.o.Program, Seq: at.seq,
		Hash: hex.EncodeToString(at.hash[:]), MAC: hex.EncodeToString(at.mac[:]), Count: count,
		Time: l.o.Now().UTC().Format(time.RFC3339), KeyFingerprint: Fingerprint(key.Public().(ed25519.PublicKey)),
	}
}

// Head returns where the record ends now, signed. It refuses, as damaged, a
// record whose last entry does not fit the chain under the vault's key; only
// Verify looks at all of it.
func (l *Ledger) Head(ctx context.Context) (Head, error) {
	db, err := l.use(ctx)
	if err != nil {
		return Head{}, err
	}
	key, err := l.signingKey(ctx)
	if err != nil {
		return Head{}, err
	}
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return Head{}, l.problem(err)
	}
	defer func() { _ = tx.Rollback() }()
	last, count, err := l.checkedTail(ctx, tx, db)
	if err != nil {
		return Head{}, l.problem(err)
	}
	head := l.newHead(db.id, last, count, key)
	head.Signature = ed25519.Sign(key, head.message())
	return head, nil
}

// checkedTail returns the last link after a look at the two last entries.
func (l *Ledger) checkedTail(ctx context.Context, q querier, db *database) (last link, count int64, err error) {
	if last, err = tail(ctx, q, db); err != nil {
		return link{}, 0, err
	}
	if err = q.QueryRowContext(ctx, `SELECT count(*) FROM events`).Scan(&count); err != nil || count == 0 {
		return last, count, err
	}
	before, err := linkBefore(ctx, q, db, last.seq)
	if err != nil {
		return link{}, 0, err
	}
	var body []byte
	if err = q.QueryRowContext(ctx, `SELECT body FROM events WHERE seq = ?`, last.seq).Scan(&body); err != nil {
		return link{}, 0, err
	}
	if last != db.key.next(before, last.seq, body) {
		return link{}, 0, l.corrupt("its last entry does not match the chain")
	}
	return last, count, nil
}

// linkBefore returns the link of the entry before a number.
func linkBefore(ctx context.Context, q querier, db *database, seq int64) (link, error) {
	var before link
	var hash, mac []byte
	err := q.QueryRowContext(ctx, `SELECT seq, hash, mac FROM events WHERE seq < ? ORDER BY seq DESC LIMIT 1`, seq).Scan(&before.seq, &hash, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return start(ctx, q, db)
	}
	copy(before.hash[:], hash)
	copy(before.mac[:], mac)
	return before, err
}

// ParseHead reads a head file. It does not verify it.
func ParseHead(text []byte) (Head, error) {
	var head Head
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&head); err != nil {
		return Head{}, invalid("The head file is not the JSON that ledger head writes.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Head{}, invalid("The head file contains more than a head.")
	}
	if head.Format != HeadFormat {
		return Head{}, invalid("The file is not a head of this format: " + HeadFormat + ".")
	}
	return head, nil
}

// VerifyHead checks a head with the public key alone.
func VerifyHead(key ed25519.PublicKey, head Head) error {
	switch {
	case head.Format != HeadFormat:
		return invalid("The head has another format than " + HeadFormat + ".")
	case head.KeyFingerprint != Fingerprint(key):
		return invalid("The head was signed with a different key.")
	case !head.signatureFits(key):
		return invalid("The signature of the head is not valid: it was changed or made with another key.")
	}
	return nil
}
