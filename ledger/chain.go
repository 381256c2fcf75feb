package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
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

type digest = [sha256.Size]byte

// link is one end of the two chains: after the entry of that number.
type link struct {
	seq       int64
	hash, mac digest
}

// number and text write a value so that no two sequences of values give the
// same bytes.
func number(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func text[T ~string | ~[]byte](h hash.Hash, t T) {
	number(h, int64(len(t)))
	h.Write([]byte(t))
}

func sum(h hash.Hash) (d digest) {
	h.Sum(d[:0])
	return d
}

// bodyDigest is all that an export shows of an entry that it withholds.
func bodyDigest(body []byte) digest {
	h := sha256.New()
	h.Write([]byte(tagBody))
	h.Write(body)
	return sum(h)
}

// genesisHash is where the plain chain of a ledger begins.
func genesisHash(ledgerID string) digest {
	h := sha256.New()
	h.Write([]byte(tagGenesis))
	text(h, ledgerID)
	return sum(h)
}

// nextHash is the plain chain: anybody can follow it.
func nextHash(seq int64, previous, body digest) digest {
	h := sha256.New()
	h.Write([]byte(tagEntry))
	number(h, seq)
	h.Write(previous[:])
	h.Write(body[:])
	return sum(h)
}

// macKey is the vault's key of the ledger.
type macKey []byte

// genesis begins the authenticated chain, and proves that the key belongs to
// the file.
func (k macKey) genesis(ledgerID string) link {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(tagGenesis))
	text(h, ledgerID)
	return link{hash: genesisHash(ledgerID), mac: sum(h)}
}

// next links an entry to the one before it. The plain hash is covered, so a
// recomputed plain chain does not fit the authenticated one.
func (k macKey) next(before link, seq int64, body []byte) link {
	plain := nextHash(seq, before.hash, bodyDigest(body))
	h := hmac.New(sha256.New, k)
	h.Write([]byte(tagEntry))
	number(h, seq)
	h.Write(before.mac[:])
	h.Write(plain[:])
	h.Write(body)
	return link{seq: seq, hash: plain, mac: sum(h)}
}

// state authenticates all of a row that holds now.
func (k macKey) state(s state) digest {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(tagState))
	text(h, s.kind)
	text(h, s.name)
	number(h, s.seq)
	text(h, s.body)
	return sum(h)
}

// same compares without telling by its time where the difference is.
func same(a, b digest) bool { return hmac.Equal(a[:], b[:]) }
