package users

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzNext looks at where a browser that resolves as browsers do would be sent.
func FuzzNext(f *testing.F) {
	for _, next := range []string{"/account", "//evil.example", `/\evil.example`, "/\t/evil.example", "https:evil.example", "/a?b=//c#d", "/@evil.example"} {
		f.Add(next)
	}
	here, _ := url.Parse("https://partner.example.com/signin")
	f.Fuzz(func(t *testing.T, next string) {
		got := ownPath(next)
		resolved, err := here.Parse(strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(got))
		if err != nil || resolved.Host != here.Host || resolved.Scheme != here.Scheme || resolved.User != nil {
			t.Errorf("%q leads to %v, %v", next, resolved, err)
		}
	})
}
