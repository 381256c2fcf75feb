package phrase

import (
	"testing"
)

func TestShellWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"contoso": "contoso", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := ShellWord(text); got != want {
			t.Errorf("shellWord(%q) is %s, want %s", text, got, want)
		}
	}
}
