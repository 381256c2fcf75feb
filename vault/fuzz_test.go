package vault

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// What the decoder takes, it writes and takes again the same; what it refuses,
// it refuses without showing any of it.
func FuzzDecodePayload(f *testing.F) {
	good := &payload{generation: 3, secrets: map[string]storedSecret{"a": {"a", seal([]byte("secret")), time.Unix(0, 0).UTC()}}}
	data, err := good.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"generation":1,"secrets":[]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"generation":1,"secrets":[{"name":"a","value":"eA=="},{"name":"A","value":"eA=="}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePayload(data)
		if err != nil {
			if strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("error shows the content: %v", err)
			}
			return
		}
		again, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := decodePayload(again)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if q.generation != p.generation || !reflect.DeepEqual(q.names(), p.names()) {
			t.Error("written and read again, it is another payload")
		}
		for key, s := range p.secrets {
			if !q.secrets[key].secret.Equal(s.secret) {
				t.Error("a secret changed")
			}
		}
	})
}

func FuzzDecodeDirectory(f *testing.F) {
	s, err := newSnapshot([]Entry{testEntry(1, "contoso", "contoso.example")}, []CredentialConfig{secretCredential("partner")})
	if err != nil {
		f.Fatal(err)
	}
	data, err := encodeDirectory(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"credentials":[],"tenants":[]}`))
	f.Add([]byte(`{"version":1,"clouds":{"x":{"name":"custom","authority":"https://a.example","arm_endpoint":"https://b.example","arm_audience":"https://c.example"}},"credentials":null,"tenants":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeDirectory(data)
		if err != nil {
			return
		}
		again, err := encodeDirectory(s)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		r, err := decodeDirectory(again)
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, again)
		}
		if len(r.entries) != len(s.entries) || !reflect.DeepEqual(r.credentials, s.credentials) {
			t.Error("written and read again, it is another directory")
		}
		for i, e := range s.entries {
			if !reflect.DeepEqual(settled(e), settled(r.entries[i])) {
				t.Errorf("entry %+v became %+v", e, r.entries[i])
			}
			if found, err := r.resolve(e.Name); err != nil || found.TenantID != e.TenantID {
				t.Errorf("%q is not found by its name", e.Name)
			}
		}
	})
}

// Names that are taken are found again in whatever case they are written, and
// hold nothing that a terminal or a path would read in its own way.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"contoso", "Straße", "a.b", "\u202e", "½", "ǅ", "İ", "Ꮪ", "a\x00"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName("name", name) != nil {
			return
		}
		if fold(fold(name)) != fold(name) {
			t.Errorf("folding %q is not stable", name)
		}
		if fold(strings.ToUpper(name)) != fold(name) && isASCII(name) {
			t.Errorf("%q is not found in upper case", name)
		}
		if strings.ContainsAny(name+fold(name), "/\\.:\x1b \t\r\n\u202e\u200b") {
			t.Errorf("%q was taken", name)
		}
	})
}

// Every letter that a name may have folds to one form, once and for all, from
// either of its cases. The Turkish letters are the two that Unicode excepts:
// their other case is another letter's.
func TestEachLetterFolds(t *testing.T) {
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		name := string(r)
		if checkName("name", name) != nil || r == 'İ' || r == 'ı' {
			continue
		}
		folded := fold(name)
		for _, written := range []string{folded, strings.ToUpper(name), strings.ToLower(name)} {
			if fold(written) != folded {
				t.Errorf("%q (%U) folds to %q, written as %q to %q", name, r, folded, written, fold(written))
			}
		}
	}
}
