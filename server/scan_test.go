package server

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// member is one member of an object.
type member struct {
	Name, Value string
}

// decoded reads an object with encoding/json's own decoder.
func decoded(t *testing.T, raw []byte) (members []member) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		members = append(members, member{name.(string), string(value)})
	}
	return members
}

func scanned(raw []byte) (members []member) {
	_ = scanObject(raw, func(name string, value json.RawMessage) *fault {
		members = append(members, member{name, string(value)})
		return nil
	})
	return members
}

// FuzzScanObject wants of every valid object the same members as encoding/json
// finds, and of anything else no panic and an end.
func FuzzScanObject(f *testing.F) {
	for _, seed := range []string{
		"{}", " { } ", `{"a":1}`, `{"a":1,"b":"x"}`, "\t{ \"a\" :\n[1, {\"b\":\"]}\"}] ,\r\"c\":null }", `{"":"","\u0061":"\\"}`,
		`{"a\"b":"\\\"","c":{"d":{"e":[[],{},"}{"]}}}`, `{"a":1,"a":2}`, `{"\ud83d\ude00":-1.5e+3,"x":true,"y":false}`, `{"\ud800":"lone"}`,
		`[]`, `"x"`, "1", "", "{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":[`, `{"a":"\`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := scanned(raw)
		trimmed := bytes.TrimLeft(raw, " \t\r\n")
		if !utf8.Valid(raw) || !json.Valid(raw) || !bytes.HasPrefix(trimmed, []byte("{")) {
			return
		}
		if diff := cmp.Diff(decoded(t, raw), got); diff != "" {
			t.Errorf("%q:\n%s", raw, diff)
		}
	})
}
