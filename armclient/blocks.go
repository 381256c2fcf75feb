package armclient

import "encoding/binary"

// block is half a piece: pieces of that length hold a whole block.
const block = piece / 2

// blocks is a set of the blocks that a text is cut into: it may take a few more
// for members, and misses none. Looking for every piece of an answer in a token
// of some kilobytes took two fifths of what an audit costs.
type blocks [1 << 16 / 64]uint64

func blocksOf(text string) *blocks {
	var b blocks
	for i := 0; i+block <= len(text); i += block {
		at := placeOf(text[i : i+block])
		b[at/64] |= 1 << (at % 64)
	}
	return &b
}

// mayHave is false only for what is no member.
func (b *blocks) mayHave(text string) bool {
	if b == nil {
		return true
	}
	at := placeOf(text)
	return b[at/64]&(1<<(at%64)) != 0
}

// placeOf spreads blocks over 16 bits, by the multiplier of Fibonacci hashing.
func placeOf(text string) uint64 {
	return binary.LittleEndian.Uint64([]byte(text)) * 0x9e3779b97f4a7c15 >> 48
}
