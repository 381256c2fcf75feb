package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"math"
	"time"

	"mcp-partner/guard/runs"
	"mcp-partner/schemas/problems"
)

// What is hashed or authenticated begins with one of these, so that no value
// made for one purpose fits another.
const (
	tagGenesis = "mcp-partner ledger genesis 1\x00"
	tagBody    = "mcp-partner ledger body 1\x00"
	tagEntry   = "mcp-partner ledger entry 1\x00"
	tagState   = "mcp-partner ledger state 1\x00"
	tagHead    = "mcp-partner ledger head 1\x00"
	tagPruned  = "mcp-partner ledger checkpoint 1\x00"
)

type digest = runs.Digest

// link is one end of the two chains: after the entry of that number.
type link struct {
	seq       int64
	hash, mac digest
}

// number and text encode a value so that no two sequences of values give the
// same bytes.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func text[T ~string | ~[]byte](t T) []byte { return append(number(int64(len(t))), t...) }

// sum hashes a tag, and what is tagged.
func sum(h hash.Hash, tag string, parts ...[]byte) (d digest) {
	h.Write([]byte(tag))
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(d[:0])
	return d
}

// bodyDigest is all that an export shows of an entry that it withholds.
func bodyDigest(body []byte) digest { return sum(sha256.New(), tagBody, body) }

// genesisHash is where the plain chain of a ledger begins.
func genesisHash(ledgerID string) digest { return sum(sha256.New(), tagGenesis, text(ledgerID)) }

// nextHash is the plain chain: anybody can follow it.
func nextHash(seq int64, previous, body digest) digest {
	return sum(sha256.New(), tagEntry, number(seq), previous[:], body[:])
}

// macKey is the vault's key of the ledger.
type macKey []byte

// sum authenticates what sum hashes.
func (k macKey) sum(tag string, parts ...[]byte) digest {
	return sum(hmac.New(sha256.New, k), tag, parts...)
}

// genesis begins the authenticated chain, and proves that the key belongs to
// the file.
func (k macKey) genesis(ledgerID string) link {
	return link{hash: genesisHash(ledgerID), mac: k.sum(tagGenesis, text(ledgerID))}
}

// next links an entry to the one before it. The plain hash is covered, so a
// recomputed plain chain does not fit the authenticated one.
func (k macKey) next(before link, seq int64, body []byte) link {
	plain := nextHash(seq, before.hash, bodyDigest(body))
	return link{seq: seq, hash: plain, mac: k.sum(tagEntry, number(seq), before.mac[:], plain[:], body)}
}

// state authenticates all of a row that holds now.
func (k macKey) state(s state) digest {
	return k.sum(tagState, text(s.kind), text(s.name), number(s.seq), text(s.body))
}

// same compares without telling by its time where the difference is.
func same(a, b digest) bool { return hmac.Equal(a[:], b[:]) }

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
	Seq   int64       `json:"seq"`
	Hash  runs.Digest `json:"hash"`
	MAC   runs.Digest `json:"mac"`
	Count int64       `json:"count"`
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
	return append([]byte(tag), encode(value)...)
}

func (h Head) message() []byte {
	h.Signature = nil
	return signed(tagHead, h)
}

func fits(key ed25519.PublicKey, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
}

// newHead describes a link, not yet signed.
func (l *Ledger) newHead(id string, at link, count int64, key ed25519.PrivateKey) Head {
	return Head{
		Format: HeadFormat, Ledger: id, Program: l.o.Program, Seq: at.seq, Hash: at.hash, MAC: at.mac, Count: count,
		Time: l.o.Now().UTC().Format(time.RFC3339), KeyFingerprint: Fingerprint(key.Public().(ed25519.PublicKey)),
	}
}

// Head returns where the record ends now, signed. It refuses, as damaged, a
// record whose last entry does not fit the chain under the vault's key; only
// Verify looks at all of it.
func (l *Ledger) Head(ctx context.Context) (head Head, err error) {
	if _, err := l.use(ctx); err != nil {
		return Head{}, err
	}
	key, err := l.signingKey(ctx)
	if err != nil {
		return Head{}, err
	}
	err = l.snapshot(ctx, func(s *session) {
		last, count := s.checkedTail()
		head = l.newHead(s.db.id, last, count, key)
		head.Signature = ed25519.Sign(key, head.message())
	})
	if err != nil {
		return Head{}, err
	}
	return head, nil
}

// checkedTail returns the last link after a look at the two last entries.
func (s *session) checkedTail() (last link, count int64) {
	last, count = s.tail(), value[int64](s, `SELECT count(*) FROM events`)
	if count == 0 {
		return last, 0
	}
	before, body := s.linkBefore(last.seq), value[[]byte](s, `SELECT body FROM events WHERE seq = $1`, last.seq)
	if last != s.db.key.next(before, last.seq, body) {
		s.fail(s.l.corrupt("its last entry does not match the chain"))
	}
	return last, count
}

// linkBefore returns the link of the entry before a number: that of the checkpoint
// if all were pruned, or the beginning.
func (s *session) linkBefore(seq int64) (before link) {
	if s.row([]any{&before.seq, &before.hash, &before.mac}, `SELECT seq, hash, mac FROM events WHERE seq < $1 ORDER BY seq DESC LIMIT 1`, seq) {
		return before
	}
	return s.start()
}

// tail returns the last link.
func (s *session) tail() link { return s.linkBefore(math.MaxInt64) }

// ParseHead reads a head file. It does not verify it.
func ParseHead(text []byte) (Head, error) {
	var head Head
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&head); err != nil {
		return Head{}, problems.InvalidArgument("The head file is not the JSON that ledger head writes.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Head{}, problems.InvalidArgument("The head file contains more than a head.")
	}
	if head.Format != HeadFormat {
		return Head{}, problems.InvalidArgument("The file is not a head of this format: " + HeadFormat + ".")
	}
	return head, nil
}

// VerifyHead checks a head with the public key alone.
func VerifyHead(key ed25519.PublicKey, head Head) error {
	switch {
	case head.Format != HeadFormat:
		return problems.InvalidArgument("The head has another format than " + HeadFormat + ".")
	case head.KeyFingerprint != Fingerprint(key):
		return problems.InvalidArgument("The head was signed with a different key.")
	case !fits(key, head.message(), head.Signature):
		return problems.InvalidArgument("The signature of the head is not valid: it was changed or made with another key.")
	}
	return nil
}
