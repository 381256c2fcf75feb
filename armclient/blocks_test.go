package armclient

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Tokens and texts have pieces of any length in common.
func TestEchoIndexMatchesPlainSearch(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-d0-2.+/~]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		forms := word.Draw(t, "before") + word.Draw(t, "token") + word.Draw(t, "after")
		from := rapid.IntRange(0, len(forms)).Draw(t, "from")
		common := forms[from:rapid.IntRange(from, min(len(forms), from+2*piece)).Draw(t, "to")]
		text := word.Draw(t, "left") + common + word.Draw(t, "right")
		want := false
		for i := 0; i+piece <= len(text); i++ {
			want = want || strings.Contains(forms, text[i:i+piece])
		}
		if got := (echo{forms: forms}).inPieces(text); got != want {
			t.Errorf("%q in %q: %v, want %v", text, forms, got, want)
		}
	})
}
