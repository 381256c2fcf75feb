package csvcell_test

import (
	"testing"

	"mcp-partner/internal/csvcell"
)

func TestQuoteStopsFormulas(t *testing.T) {
	t.Parallel()
	quoter := csvcell.New()
	for _, test := range []struct{ name, cell, want string }{
		{"plain text", "Contoso GmbH", "Contoso GmbH"},
		{"minus inside a word", "a-b", "a-b"},
		{"equals sign", "=1+1", "'=1+1"},
		{"plus sign", "+1", "'+1"},
		{"minus sign", "-1", "'-1"},
		{"at sign", "@SUM(A1)", "'@SUM(A1)"},
		{"tab first", "\tx", "'\tx"},
		{"carriage return first", "\rx", "'\rx"},
		{"formula behind spaces", "  =1", "  '=1"},
		{"formula behind a quotation mark", "\"=1", "\"'=1"},
		{"formula behind a semicolon", "x;=1", "x;'=1"},
		{"formula behind a comma and a space", "x, =1", "x, '=1"},
		{"formula on a second line", "x\n=1", "x\n'=1"},
		{"full width equals sign", "\uff1d1", "'\uff1d1"},
		{"quote before a formula", "'=1", "''=1"},
		{"quote before text", "'s-Hertogenbosch", "''s-Hertogenbosch"},
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
