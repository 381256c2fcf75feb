package term

import (
	"bytes"
	"strings"
	"testing"
)

func TestWrapBreaksBetweenWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text    string
		width, indent int
		want          string
	}{
		{name: "fits", text: "one two", width: 7, want: "one two"},
		{name: "no width", text: "one two three", indent: 2, want: "one two three"},
		{name: "breaks", text: "one two three", width: 8, indent: 2, want: "one two\n  three"},
		{name: "keeps the margin", text: "  one two three", width: 10, indent: 4, want: "  one two\n    three"},
		{name: "keeps a long word whole", text: "a https://host.example/path b", width: 10, want: "a\nhttps://host.example/path\nb"},
		{name: "counts no colours", text: "\x1b[33mone\x1b[0m two three", width: 8, indent: 2, want: "\x1b[33mone\x1b[0m two\n  three"},
		{name: "counts wide letters", text: "資料 資料 a", width: 5, want: "資料\n資料\na"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Wrap(c.text, c.width, c.indent); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReflowJoinsParagraphsAndKeepsLists(t *testing.T) {
	t.Parallel()
	text := "one\ntwo three\nfour.\n\n  item a\n  item b\n\nfive"
	if got, want := Reflow(text, 13), "one two three\nfour.\n\n  item a\n  item b\n\nfive"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReflowContinuesASecondColumnUnderItself(t *testing.T) {
	t.Parallel()
	text := "Kinds:\n  html       a page of a gateway\n  cut_body   a break"
	if got, want := Reflow(text, 24), "Kinds:\n  html       a page of a\n             gateway\n  cut_body   a break"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFieldsContinueUnderTheirValue(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	u := &UI{Out: &out, Width: 24}
	u.Field("next", "mcp-partner doctor and more")
	u.Line(Plain, "A sentence that is longer than that.")
	want := "  next        mcp-partner\n              doctor and\n              more\nA sentence that is\nlonger than that.\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestEntriesContinueUnderTheirName(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	u := &UI{Out: &out, Width: 24}
	u.Entry(Good, "ok  ", "vault", "The vault is encrypted\x1b with a key.")
	u.Entry(Bad, "FAIL", "clock", "It is wrong.")
	want := "ok    vault: The vault\n      is\n      encrypted<U+001B>\n"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "FAIL  clock: It is\n      wrong.\n") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}
