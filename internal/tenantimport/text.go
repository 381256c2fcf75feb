package tenantimport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errNotUTF8 is about the bytes of a file.
var errNotUTF8 = errors.New("it is not UTF-8, and no UTF-16 that says so: save it as \"CSV UTF-8\"")

// csvText is the text of a file: UTF-8 with or without a byte order mark, or
// UTF-16 with one, as spreadsheets save "Unicode text".
func csvText(data []byte) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], binary.BigEndian)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return "", errNotUTF8
	}
	return string(data), nil
}

// fromUTF16 refuses what would be read as something else.
func fromUTF16(data []byte, order binary.ByteOrder) (string, error) {
	if len(data)%2 != 0 {
		return "", errNotUTF8
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	text := string(utf16.Decode(units))
	if strings.ContainsAny(text, "\x00\ufffd") {
		return "", errNotUTF8
	}
	return text, nil
}

// separator is whichever the header uses most. Spreadsheets write semicolons
// where the comma is the decimal sign, and tabs into Unicode text.
func separator(text string) rune {
	header, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, r := range ";\t" {
		if strings.Count(header, string(r)) > strings.Count(header, string(best)) {
			best = r
		}
	}
	return best
}
