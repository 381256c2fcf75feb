package term

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":            "plain",
		"Größe 資料 данные":  "Größe 資料 данные",
		"\x1b[2Jx":         "<U+001B>[2Jx",
		"a\u202eb":         "a<U+202E>b",
		"a\nb\tc\r":        "a<U+000A>b<U+0009>c<U+000D>",
		"\u009b31m":        "<U+009B>31m",
		"zero\u200bwidth":  "zero<U+200B>width",
		"bad\xffutf8":      "bad\uFFFDutf8",
		"tag\U000E0041end": "tag<U+E0041>end",
		"no\u00a0break":    "no\u00a0break",
		"e\u0301":          "e\u0301",
	} {
		if got := Escape(text); got != want {
			t.Errorf("escape(%q) is %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Add("\u2066\U000E0001")
	f.Fuzz(func(t *testing.T, text string) {
		if got := Escape(text); strings.ContainsFunc(got, hostile) {
			t.Fatalf("escape(%q) is %q", text, got)
		}
	})
}

func TestEscapedJSONHasSameValue(t *testing.T) {
	t.Parallel()
	want := map[string]string{"a": "x\u202e\U000E0041\x7f\u009b資"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	escaped := EscapeJSON(string(text))
	if strings.ContainsFunc(escaped, hostile) {
		t.Errorf("%q holds what a terminal would act on", escaped)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(escaped), &got); err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTableAlignsWideLetters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	(&UI{Out: &out}).Table([]string{"NAME", "EMPTY", "ID"}, [][]string{{"資料", "", "1"}, {"ab", "", "2"}})
	want := "  NAME  ID\n  資料  1\n  ab    2\n"
	if out.String() != want {
		t.Errorf("table is\n%swant\n%s", out.String(), want)
	}
}

// failingWriter fails with its error.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFailedOutputAfterChangeIsReportedOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{name: "full disk", err: &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, want: 1},
		{name: "reader that is gone", err: &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}},
	} {
		var stderr bytes.Buffer
		s := &Streams{Out: failingWriter{c.err}, Err: &stderr}
		s.ChangeMade()
		for range 2 {
			if n, err := s.Out.Write([]byte("Added")); n != 5 || err != nil {
				t.Errorf("%s: wrote %d, %v", c.name, n, err)
			}
		}
		if got := strings.Count(stderr.String(), "the command was completed"); got != c.want {
			t.Errorf("%s: %q", c.name, stderr.String())
		}
	}
}
