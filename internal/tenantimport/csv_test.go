package tenantimport

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func TestCSVRoundTrip(t *testing.T) {
	t.Parallel()
	rows := []Row{
		{"name": "contoso", "note": "a, \"quoted\" note\nwith two lines", "owner": "=cmd()", "labels": "a;b"},
		{"name": "größe", "note": "+1", "owner": "'quoted", "external_id": "-7", "domains": "@x"},
		{"name": "x", "note": "'=1", "owner": "'", "labels": "資料"},
	}
	text, err := EncodeColumns(Columns(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{",=", ",+", ",-", ",@", "\n="} {
		if strings.Contains(string(text), start) {
			t.Errorf("a cell begins a formula (%q):\n%s", start, text)
		}
	}
	got, err := decodeCSV(bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got.rows {
		for _, column := range Columns() {
			if row.Row[column] != rows[i][column] {
				t.Errorf("row %d, %s is %q, was %q", i, column, row.Row[column], rows[i][column])
			}
		}
	}
}

func TestDecodeCSV(t *testing.T) {
	t.Parallel()
	want := []numbered{
		{Row{"name": "a", "tenant_id": "1", "note": "x, y"}, 2},
		{Row{"name": "b", "tenant_id": "", "note": ""}, 4},
	}
	for name, text := range map[string]string{
		"commas":            "name,tenant_id,note\na,1,\"x, y\"\n\nb,,\n",
		"byte order mark":   "\ufeffname,tenant_id,note\na,1,\"x, y\"\n\nb,,\n",
		"CRLF":              "name,tenant_id,note\r\na,1,\"x, y\"\r\n\r\nb,,\r\n",
		"semicolons":        "name;tenant_id;note\na;1;x, y\n\nb;;\n",
		"header in any way": "NAME, Tenant-ID ,Note\n a ,1,\"x, y\"\n\nb,,\n",
		"tabs":              "name\ttenant_id\tnote\na\t1\tx, y\n\nb\t\t\n",
		"UTF-16":            utf16Text("name\ttenant_id\tnote\r\na\t1\tx, y\r\n\r\nb\t\t\r\n", binary.LittleEndian),
		"UTF-16, big end":   utf16Text("name,tenant_id,note\na,1,\"x, y\"\n\nb,,\n", binary.BigEndian),
		"row of commas":     "name,tenant_id,note\na,1,\"x, y\"\n,,\nb,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeCSV(strings.NewReader(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.rows, cmp.AllowUnexported(numbered{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// utf16Text is a text as Excel saves "Unicode text".
func utf16Text(text string, order binary.AppendByteOrder) string {
	data := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

func TestUTF16KeepsEveryLetter(t *testing.T) {
	t.Parallel()
	got, err := decodeCSV(strings.NewReader(utf16Text("Company name\tMicrosoft ID\nGröße 株式会社 😀\tx\n", binary.LittleEndian)), nil)
	if err != nil || got.rows[0].Row[company] != "Größe 株式会社 😀" || got.rows[0].Row["tenant_id"] != "x" {
		t.Errorf("%v, %v", got, err)
	}
}

// Every header that Partner Center is documented to write, or may write.
func TestHeadersOfExports(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Microsoft ID": "tenant_id", "Microsoft Id": "tenant_id", " MICROSOFT_ID ": "tenant_id", "Customer tenant ID": "tenant_id", "\u00a0Customer\u00a0Id": "tenant_id",
		"Company name": company, "Customer company name": company, "CustomerName": company, "Primary domain name": "domains", "Tags": "labels", "Relationship": "",
		"Microsoft-Kennung": "tenant_id", "Firmenname": company, "Primäre Domäne": "domains", "Beziehung": "", "Kategorien": "labels",
		"ID Microsoft": "tenant_id", "Nom de la société": company, "Nom de domaine principal": "domains", "Étiquettes": "labels",
		"Id. de Microsoft": "tenant_id", "Nombre de la empresa": company, "Nombre de dominio principal": "domains", "Relación": "", "Etiquetas": "labels",
		"Tenant-ID": "tenant_id", "Expected Partner ID": "expected_partner_id", "\ufeffname": "name",
	} {
		if c, known := meaning(header, nil); !known || c.field != want {
			t.Errorf("%q is %q (%v), want %q", header, c.field, known, want)
		}
	}
	if c, known := meaning("Company name", columnMap{"companyname": {written: "Company Name", field: "owner"}}); !known || c.field != "owner" || c.foreign {
		t.Errorf("--map does not come first: %+v", c)
	}
}

func TestDecodeCSVRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {text: "", want: "is empty"},
		"half a UTF-16":  {text: "\xff\xfen\x00a", want: "neither UTF-8 nor UTF-16"},
		"bare UTF-16":    {text: "n\x00a\x00m\x00e\x00", want: "neither UTF-8 nor UTF-16"},
		"half a pair":    {text: "\xff\xfen\x00\x00\xd8", want: "neither UTF-8 nor UTF-16"},
		"Latin-1":        {text: "name\ngr\xf6\xdfe\n", want: "neither UTF-8 nor UTF-16"},
		"unknown column": {text: "name,tenant\na,b\n", want: `the column "tenant" is not known`},
		"misspelt":       {text: "name,tenant_idd\na,b\n", want: "did you mean tenant_id?"},
		"twice":          {text: "name,Name\na,b\n", want: "column name appears twice"},
		"no name":        {text: "note\na\n", want: "no column name"},
		"quote":          {text: "name,note\na,\"b\n", want: "line 2: a quotation mark"},
		"bare quote":     {text: "name,note\na,b\"c\n", want: "line 2: a quotation mark"},
		"cells":          {text: "name,note\na,b\nc\n", want: "line 3 has 1 cells"},
		"title":          {text: "Customers of November\n\nCompany name,Microsoft ID\nContoso,x\n", want: "line 1 does not look like a header: only one cell"},
		"German title":   {text: "Kundenliste\nFirmenname;Microsoft-ID\nContoso;x\n", want: "line 1 does not look like a header: only one cell"},
		"no header":      {text: "Contoso,a1b2c3d4-0001-4000-8000-000000000001\n", want: "line 1 does not look like a header: it has a tenant ID"},
		"one column":     {text: "tenannt_id\nx\n", want: "did you mean tenant_id?"},
		"lines counted":  {text: "name,note\na,\"b\nb\"\nc\n", want: "line 4 has 1 cells"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := decodeCSV(strings.NewReader(c.text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecodeCSV(f *testing.F) {
	f.Add("name,note\na,b\n")
	f.Add("\ufeffname;note\r\n\"a\";'=1\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := decodeCSV(strings.NewReader(text), nil)
		if err != nil {
			return
		}
		bare := make([]Row, len(read.rows))
		for i, row := range read.rows {
			bare[i] = row.Row
		}
		again, err := EncodeColumns(Columns(), bare)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCSV(bytes.NewReader(again), nil); err != nil {
			t.Fatalf("%v in what was written for %q:\n%s", err, text, again)
		}
	})
}
