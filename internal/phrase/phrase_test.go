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

func TestHintForPersonIsImperative(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]string{
		"Ask a person to store a new secret.":                          "Store a new secret.",
		"Wait a minute and repeat the call.":                           "Wait a minute and repeat the call.",
		"Call check_partner_link, then call again to make a new plan.": "Check the link, then run the command again to make a new plan.",
		"": "",
	} {
		if got := ForPerson(hint); got != want {
			t.Errorf("%q becomes %q, want %q", hint, got, want)
		}
	}
}
