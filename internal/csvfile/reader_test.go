package csvfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"mcp-partner/internal/csvfile"
)

func utf16Bytes(order binary.ByteOrder, text string) string {
	var b bytes.Buffer
	for _, unit := range utf16.Encode([]rune(text)) {
		_ = binary.Write(&b, order, unit)
	}
	return b.String()
}

// all returns header, rows and lines as one text.
func all(in io.Reader) (string, error) {
	r, err := csvfile.NewReader(in)
	if err != nil {
		return "", err
	}
	out := strings.Join(r.Header(), "|")
	for {
		cells, line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out += fmt.Sprintf(" %d:%s", line, strings.Join(cells, "|"))
	}
}

func TestFilesOfCommonProgramsAreRead(t *testing.T) {
	t.Parallel()
	const table = "name,domain\ncontoso,contoso.example\nfabrikam,f.example\n"
	const want = "name|domain 2:contoso|contoso.example 3:fabrikam|f.example"
	for _, test := range []struct{ name, file, want string }{
		{name: "plain", file: table, want: want},
		{name: "byte order mark", file: "\ufeff" + table, want: want},
		{name: "CRLF", file: strings.ReplaceAll(table, "\n", "\r\n"), want: want},
		{name: "CR alone", file: strings.ReplaceAll(table, "\n", "\r"), want: want},
		{name: "line separators of Unicode", file: strings.ReplaceAll(table, "\n", "\u2028"), want: want},
		{name: "next line characters", file: strings.ReplaceAll(table, "\n", "\u0085"), want: want},
		{name: "UTF-16 little endian", file: "\xff\xfe" + utf16Bytes(binary.LittleEndian, table), want: want},
		{name: "UTF-16 big endian", file: "\xfe\xff" + utf16Bytes(binary.BigEndian, table), want: want},
		{name: "UTF-16 without a mark", file: utf16Bytes(binary.LittleEndian, table), want: want},
		{name: "UTF-16 with CRLF", file: "\xff\xfe" + utf16Bytes(binary.LittleEndian, strings.ReplaceAll(table, "\n", "\r\n")), want: want},
		{name: "semicolons", file: strings.ReplaceAll(table, ",", ";"), want: want},
		{name: "tabs", file: strings.ReplaceAll(table, ",", "\t"), want: want},
		{name: "no line end at the end", file: strings.TrimSuffix(table, "\n"), want: want},
		{name: "a separator at the end of each line", file: strings.ReplaceAll(table, "\n", ",\n"), want: want},
		{name: "sep=", file: "sep=;\nname;domain\ncontoso;a,b\n", want: "name|domain 3:contoso|a,b"},
		{name: "quoted sep=", file: "\"sep=,\"\r\nname,domain\r\ncontoso,x;y;z\r\n", want: "name|domain 3:contoso|x;y;z"},
		{name: "PowerShell's type", file: "#TYPE System.Management.Automation.PSCustomObject\n\"name\",\"domain\"\n\"contoso\",\"x\"\n", want: "name|domain 3:contoso|x"},
		{name: "empty lines before the header", file: "\n,,\nname,domain\ncontoso,x\n", want: "name|domain 4:contoso|x"},
		{name: "empty rows between", file: "name,domain\n\ncontoso,x\n,\nfabrikam,y\n", want: "name|domain 3:contoso|x 5:fabrikam|y"},
		{name: "quoted line end", file: "name,note\ncontoso,\"two\r\nlines\"\nfabrikam,y\n", want: "name|note 2:contoso|two\nlines 4:fabrikam|y"},
		{name: "separator inside a quoted header", file: "\"name; short\",domain\nx,y\n", want: "name; short|domain 2:x|y"},
		{name: "invisible characters around cells", file: "name,domain\n\u200bcontoso\u00a0,\u2060x \n", want: "name|domain 2:contoso|x"},
		{name: "decomposed letters", file: "name,domain\ncafe\u0301,x\n", want: "name|domain 2:caf\u00e9|x"},
		{name: "header alone", file: "name,domain\n", want: "name|domain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for reading, in := range map[string]io.Reader{"at once": strings.NewReader(test.file), "byte by byte": iotest.OneByteReader(strings.NewReader(test.file))} {
				if got, err := all(in); err != nil || got != test.want {
					t.Errorf("%s: %q, %v; want %q", reading, got, err, test.want)
				}
			}
		})
	}
}

func TestUnsupportedFileFormatIsNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, want string }{
		{name: "empty", file: "", want: "is empty"},
		{name: "byte order mark alone", file: "\ufeff", want: "is empty"},
		{name: "spreadsheet", file: "PK\x03\x04\x14\x00", want: "Excel workbook (.xlsx)"},
		{name: "older spreadsheet", file: "\xd0\xcf\x11\xe0\xa1\xb1", want: "older format (.xls)"},
		{name: "web page", file: "<!DOCTYPE html><html>", want: "HTML page"},
		{name: "Windows-1252", file: "name,domain\nM\xfcller,x\n", want: "neither UTF-8 nor UTF-16"},
		{name: "half a character", file: "\xff\xfe" + utf16Bytes(binary.LittleEndian, "name,x\na,b\n") + "\x00\xd8", want: "neither UTF-8 nor UTF-16"},
		{name: "NUL", file: "name,domain\na\x00b,x\n", want: "neither UTF-8 nor UTF-16"},
		{name: "title", file: "Customers of Contoso,,\nname,domain,note\na,b,c\n", want: "line 1 does not look like a header"},
		{name: "too many cells", file: "name,domain\na,b,c\n", want: "line 2 has 3 cells, and the header has 2"},
		{name: "open quote", file: "name,domain\n\"a,b\nc,d\n", want: "line 2: a quotation mark"},
		{name: "separators alone", file: ",,,\n,,,\n", want: "no header"},
		{name: "title without separators", file: "Customers of Contoso\nname,domain\na,b\n", want: "line 1 does not look like a header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := all(strings.NewReader(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// endless writes rows until it is stopped.
type endless struct {
	rows int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.rows == 0 {
			return 0, io.EOF
		}
		e.rows--
		e.rest = []byte("a1b2c3d4-0001-4000-8000-000000000000,Contoso,12.50\r\n")
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestLongFilesAreStreamed(t *testing.T) {
	const rows = 200_000
	r, err := csvfile.NewReader(io.MultiReader(strings.NewReader("tenant,name,cost\n"), &endless{rows: rows}))
	if err != nil {
		t.Fatal(err)
	}
	allocated := testing.AllocsPerRun(1, func() {
		for range rows / 4 {
			if _, _, err := r.Read(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if perRow := allocated / (rows / 4); perRow > 3 {
		t.Errorf("%.1f allocations a row", perRow)
	}
}

func FuzzEveryFileEndsOrIsRefused(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "sep=;\na;b\n", "\xff\xfea\x00", "\ufeff\"a\"\r\n\"b\"", "a\u2028b"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := all(bytes.NewReader(data))
		pieces, again := all(iotest.HalfReader(bytes.NewReader(data)))
		if whole != pieces || (err == nil) != (again == nil) {
			t.Errorf("%q, %v at once; %q, %v in pieces", whole, err, pieces, again)
		}
		if err == nil && strings.ContainsAny(whole, "\x00\ufffd") {
			t.Errorf("%q came through", whole)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r, err := csvfile.NewReader(io.MultiReader(strings.NewReader("tenant,name,cost\n"), &endless{rows: b.N}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, _, err := r.Read(); err != nil && !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
