package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// die is one throw: 32 bytes that follow from the seed and from what is being
// decided, and from nothing else. Decisions that share no state cannot disturb
// each other, however requests interleave.
type die [sha256.Size]byte

// throw decides something. The parts are written with their length, so that
// ("ab", "c") and ("a", "bc") are two decisions.
func throw(seed uint64, parts ...string) die {
	buf := make([]byte, 0, 128)
	buf = binary.BigEndian.AppendUint64(buf, seed)
	for _, p := range parts {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	return sha256.Sum256(buf)
}

// ordinal makes a request's number a part of a throw.
func ordinal(n uint64) string { return strconv.FormatUint(n, 36) }

// percent is uniform in [0, 100).
func (d die) percent() float64 {
	return float64(binary.BigEndian.Uint64(d[:8])>>11) / (1 << 53) * 100
}

// pick is uniform in [0, n) for small n; it is independent of percent.
func (d die) pick(n int) int {
	return int(binary.BigEndian.Uint64(d[8:16]) % uint64(n))
}

// guid has the form of a random (version 4) GUID.
func (d die) guid() string {
	b := d[16:32]
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// text is a URL-safe string of 43 characters.
func (d die) text() string { return base64.RawURLEncoding.EncodeToString(d[:]) }
