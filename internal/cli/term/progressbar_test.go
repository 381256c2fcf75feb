package term

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgressBar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		tty     bool
		env     map[string]string
		drawn   bool
		colours bool
	}{
		{name: "a terminal", tty: true, drawn: true, colours: true},
		{name: "without colour", tty: true, env: map[string]string{"NO_COLOR": "1"}, drawn: true},
		{name: "one that cannot move its cursor", tty: true, env: map[string]string{"TERM": "dumb"}},
		{name: "a pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			env := func(name string) (string, bool) { value, ok := c.env[name]; return value, ok }
			streams := &Streams{Env: env}
			streams.Err, streams.ErrTTY = &out, c.tty
			bar := streams.ProgressBar()
			for done := range 101 {
				bar.Draw(done, 100)
			}
			bar.Draw(100, 100)
			bar.Clear()
			text := out.String()
			if strings.Contains(text, "100 of 100") != c.drawn || strings.Contains(text, "\x1b[32m") != c.colours {
				t.Errorf("%q", text)
			}
			if c.drawn && (strings.Count(text, "100 of 100") != 1 || !strings.HasSuffix(text, "\r\x1b[K")) {
				t.Errorf("it does not go away: %q", text)
			}
		})
	}
}
