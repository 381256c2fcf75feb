package csvcell_test

import (
	"testing"

	"mcp-partner/internal/csvcell"
)

func TestQuoteStopsFormulas(t *testing.T) {
	t.Parallel()
	quoter := csvcell.New()
	for _, test := range []struct{ name, cell, want string }{
		{name: "plain text", cell: "Contoso GmbH", want: "Contoso GmbH"},
		{name: "minus inside a word", cell: "a-b", want: "a-b"},
		{name: "equals sign", cell: "=1+1", want: "'=1+1"},
		{name: "plus sign", cell: "+1", want: "'+1"},
		{name: "minus sign", cell: "-1", want: "'-1"},
		{name: "at sign", cell: "@SUM(A1)", want: "'@SUM(A1)"},
		{name: "tab first", cell: "\tx", want: "'\tx"},
		{name: "carriage return first", cell: "\rx", want: "'\rx"},
		{name: "formula behind spaces", cell: "  =1", want: "  '=1"},
		{name: "formula behind a quotation mark", cell: "\"=1", want: "\"'=1"},
		{name: "formula behind a semicolon", cell: "x;=1", want: "x;'=1"},
		{name: "formula behind a comma and a space", cell: "x, =1", want: "x, '=1"},
		{name: "formula on a second line", cell: "x\n=1", want: "x\n'=1"},
		{name: "full width equals sign", cell: "\uff1d1", want: "'\uff1d1"},
		{name: "quote before a formula", cell: "'=1", want: "''=1"},
		{name: "quote before text", cell: "'s-Hertogenbosch", want: "''s-Hertogenbosch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := quoter.Quote(test.cell)
			if got != test.want {
				t.Errorf("Quote(%q) is %q, want %q", test.cell, got, test.want)
			}
			if back := quoter.Unquote(got); back != test.cell {
				t.Errorf("Unquote(%q) is %q, want %q", got, back, test.cell)
			}
		})
	}
}

func FuzzUnquoteUndoesQuote(f *testing.F) {
	for _, cell := range []string{"", "'", "''", "'\t=", "\t'=", ";-,+", "'\r", "\"'\"=", "'a;'=b"} {
		f.Add(cell)
	}
	quoter := csvcell.New()
	f.Fuzz(func(t *testing.T, cell string) {
		quoted := quoter.Quote(cell)
		if back := quoter.Unquote(quoted); back != cell {
			t.Errorf("%q became %q and came back as %q", cell, quoted, back)
		}
		if again := quoter.Unquote(quoter.Quote(quoted)); again != quoted {
			t.Errorf("%q is not quoted twice alike", cell)
		}
	})
}
