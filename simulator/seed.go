package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// rng is one draw: 32 bytes derived from the seed and the decision's name only,
// so decisions are independent of how requests interleave.
type rng [sha256.Size]byte

// draw makes one decision. The parts are written with their length, so that
// ("ab", "c") and ("a", "bc") differ.
func draw(seed uint64, parts ...string) rng {
	buf := make([]byte, 0, 128)
	buf = binary.BigEndian.AppendUint64(buf, seed)
	for _, p := range parts {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	return sha256.Sum256(buf)
}

// ordinal makes a request's number a part of a draw.
func ordinal(n uint64) string { return strconv.FormatUint(n, 36) }

// percent is uniform in [0, 100).
func (d rng) percent() float64 {
	return float64(binary.BigEndian.Uint64(d[:8])>>11) / (1 << 53) * 100
}

// pick is uniform in [0, n) for small n; it is independent of percent.
func (d rng) pick(n int) int {
	return int(binary.BigEndian.Uint64(d[8:16]) % uint64(n))
}

// guid has the form of a random (version 4) GUID.
func (d rng) guid() string {
	b := d[16:32]
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// text is a URL-safe string of 43 characters.
func (d rng) text() string { return base64.RawURLEncoding.EncodeToString(d[:]) }
