package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCSVComesBack(t *testing.T) {
	t.Parallel()
	rows := []tenantRow{
		{"name": "contoso", "note": "a, \"quoted\" note\nwith two lines", "owner": "=cmd()", "labels": "a;b"},
		{"name": "größe", "note": "+1", "owner": "'quoted", "external_id": "-7", "domains": "@x"},
		{"name": "x", "note": "'=1", "owner": "'", "labels": "資料"},
	}
	text, err := encodeCSV(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{",=", ",+", ",-", ",@", "\n="} {
		if strings.Contains(string(text), start) {
			t.Errorf("a cell begins a formula (%q):\n%s", start, text)
		}
	}
	got, err := decodeCSV(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got.rows {
		for _, column := range tenantColumns() {
			if row.tenantRow[column] != rows[i][column] {
				t.Errorf("row %d, %s is %q, was %q", i, column, row.tenantRow[column], rows[i][column])
			}
		}
	}
}

func TestDecodeCSV(t *testing.T) {
	t.Parallel()
	want := []numbered{
		{tenantRow{"name": "a", "tenant_id": "1", "note": "x, y"}, 2},
		{tenantRow{"name": "b", "tenant_id": "", "note": ""}, 4},
	}
	for name, text := range map[string]string{
		"commas":            "name,tenant_id,note\na,1,\"x, y\"\n\nb,,\n",
		"byte order mark":   "\ufeffname,tenant_id,note\na,1,\"x, y\"\n\nb,,\n",
		"CRLF":              "name,tenant_id,note\r\na,1,\"x, y\"\r\n\r\nb,,\r\n",
		"semicolons":        "name;tenant_id;note\na;1;x, y\n\nb;;\n",
		"header in any way": "NAME, Tenant-ID ,Note\n a ,1,\"x, y\"\n\nb,,\n",
		"row of commas":     "name,tenant_id,note\na,1,\"x, y\"\n,,\nb,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeCSV([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.rows, cmp.AllowUnexported(numbered{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeCSVRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "it is empty"},
		"half a UTF-16":  {"\xff\xfen\x00a", "not UTF-8"},
		"bare UTF-16":    {"n\x00a\x00m\x00e\x00", "not UTF-8"},
		"half a pair":    {"\xff\xfen\x00\x00\xd8", "not UTF-8"},
		"Latin-1":        {"name\ngr\xf6\xdfe\n", "not UTF-8"},
		"unknown column": {"name,tenant\na,b\n", `column "tenant" is not known`},
		"misspelt":       {"name,tenant_idd\na,b\n", "did you mean tenant_id?"},
		"twice":          {"name,Name\na,b\n", "column name is there twice"},
		"no name":        {"note\na\n", "no column name"},
		"quote":          {"name,note\na,\"b\n", "line 2: a quote"},
		"bare quote":     {"name,note\na,b\"c\n", "line 2: a quote"},
		"cells":          {"name,note\na,b\nc\n", "line 3: it has 1 cells"},
		"lines counted":  {"name,note\na,\"b\nb\"\nc\n", "line 4: it has 1 cells"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := decodeCSV([]byte(c.text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecodeCSV(f *testing.F) {
	f.Add("name,note\na,b\n")
	f.Add("\ufeffname;note\r\n\"a\";'=1\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := decodeCSV([]byte(text), nil)
		if err != nil {
			return
		}
		bare := make([]tenantRow, len(read.rows))
		for i, row := range read.rows {
			bare[i] = row.tenantRow
		}
		again, err := encodeCSV(bare)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCSV(again, nil); err != nil {
			t.Fatalf("%v in what was written for %q:\n%s", err, text, again)
		}
	})
}

// Spreadsheets split at a semicolon or a tab where a country writes its numbers
// with commas, whatever the file says; and a formula may begin in full width.
func TestReportCells(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"Contoso, Ltd.": "Contoso, Ltd.", "": "", "2024-08-27T02:58:01Z": "2024-08-27T02:58:01Z", "1234567": "1234567", "a; b": "a; b", "x=1 - y@z": "x=1 - y@z",
		"=1": "'=1", "@x": "'@x", " =1": " '=1", "\uff1dcmd": "'\uff1dcmd", "x;=cmd|' /C calc'!A0": "x;'=cmd|' /C calc'!A0",
		"gold; -2+3": "gold; '-2+3", "x,\"=1": "x,\"'=1", "x\t+1": "x\t'+1", "\tx": "'\tx", "a\n@b": "a\n'@b", "'x": "''x",
	} {
		if got := reportCell(cell); got != want {
			t.Errorf("%q is written as %q, want %q", cell, got, want)
		}
	}
}
