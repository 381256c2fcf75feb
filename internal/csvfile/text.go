package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// sniffed is how much of a file is looked at before it is read, in bytes.
const sniffed = 64 << 10

// ErrEncoding is about bytes that are no text in UTF-8 or UTF-16.
var ErrEncoding = errors.New(`the file is neither UTF-8 nor UTF-16: save it as "CSV UTF-8"`)

func signatures() []struct{ prefix, is string } {
	return []struct{ prefix, is string }{
		{"PK\x03\x04", `an Excel workbook (.xlsx) or another ZIP file: open it and save the sheet as "CSV UTF-8"`},
		{"\xd0\xcf\x11\xe0", `an Excel workbook of the older format (.xls): open it and save the sheet as "CSV UTF-8"`},
		{"\x1f\x8b", "compressed with gzip: unpack it first"},
		{"%PDF", "a PDF document: export the list as CSV"},
		{"{\\rtf", "a rich text document: save it as plain text"},
		{"<!DOCTYPE", "an HTML page: the download probably returned a sign-in page"},
		{"<html", "an HTML page: the download probably returned a sign-in page"},
		{"<?xml", "an XML document: export the list as CSV"},
	}
}

// Text returns the text of a file as UTF-8 with LF or CRLF line ends.
func Text(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, sniffed)
	start, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	for _, s := range signatures() {
		if bytes.HasPrefix(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), []byte(s.prefix)) {
			return nil, fmt.Errorf("the file is %s", s.is)
		}
	}
	text := bufio.NewReaderSize(transform.NewReader(in, decoder(start)), sniffed)
	decoded, err := text.Peek(sniffed / 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, readError(err)
	}
	if bytes.IndexByte(decoded, '\n') >= 0 {
		return text, nil
	}
	return bufio.NewReaderSize(transform.NewReader(text, runes.Map(lineEnd)), sniffed), nil
}

// lineEnd replaces the line ends of old Macs (CR) and of Unicode (U+0085, U+2028,
// U+2029). They are taken where a file has no LF; elsewhere they are part of a cell.
func lineEnd(r rune) rune {
	if strings.ContainsRune("\r\u0085\u2028\u2029", r) {
		return '\n'
	}
	return r
}

// decoder goes by the byte order mark, and without one by where the zero bytes
// of UTF-16 are. A character of UTF-16 that cannot be decoded becomes U+FFFD,
// which the reader of rows refuses.
func decoder(start []byte) transform.Transformer {
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), zerosAt(start, 1):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}), zerosAt(start, 0):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		return transform.Chain(unicode.UTF8BOM.NewDecoder(), encoding.UTF8Validator)
	}
	return encoding.UTF8Validator
}

// zerosAt reports text in UTF-16 without a byte order mark: the first eight
// characters of a header are ASCII, so every second byte is zero.
func zerosAt(start []byte, offset int) bool {
	if len(start) < 16 {
		return false
	}
	for i := range 16 {
		if (start[i] == 0) != (i%2 == offset) {
			return false
		}
	}
	return true
}

func readError(err error) error {
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		return ErrEncoding
	}
	return fmt.Errorf("the file cannot be read: %w", err)
}
