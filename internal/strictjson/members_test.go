package strictjson

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
	for name, value := range Members(raw) {
		members = append(members, member{name, string(value)})
	}
	return members
}

// FuzzMembers wants of every valid object the same members as encoding/json
// finds, and of anything else no panic and an end.
func FuzzMembers(f *testing.F) {
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

func TestObjectsAreReadByExactNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, raw   string
		named, only error
		all         error
	}{
		{name: "as expected", raw: ` {"state":"a","id":1} `},
		{name: "one more", raw: `{"state":"a","more":1}`, only: ErrUnknown},
		{name: "twice", raw: `{"state":"a","state":"b"}`, named: ErrAmbiguous, only: ErrAmbiguous, all: ErrAmbiguous},
		{name: "twice by an escape", raw: `{"state":"a","st\u0061te":"b"}`, named: ErrAmbiguous, only: ErrAmbiguous, all: ErrAmbiguous},
		{name: "another case", raw: `{"State":"a"}`, named: ErrAmbiguous, only: ErrAmbiguous},
		{name: "the long s", raw: `{"\u017ftate":"a"}`, named: ErrAmbiguous, only: ErrAmbiguous},
		{name: "another one twice", raw: `{"more":1,"more":2}`, only: ErrUnknown, all: ErrAmbiguous},
		{name: "an array", raw: `[]`, named: ErrObject, only: ErrObject, all: ErrObject},
		{name: "null", raw: `null`, named: ErrObject, only: ErrObject, all: ErrObject},
		{name: "two objects", raw: `{}{}`, named: ErrObject, only: ErrObject, all: ErrObject},
		{name: "no UTF-8", raw: "{\"state\":\"\xff\"}", only: ErrObject, all: ErrObject},
		{name: "nothing", raw: "", named: ErrObject, only: ErrObject, all: ErrObject},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found, err := Named([]byte(test.raw), "state", "id")
			if err != test.named || err == nil && len(found) > 2 {
				t.Errorf("Named: %v, %v", found, err)
			}
			if _, err := Only([]byte(test.raw), "state", "id"); err != test.only {
				t.Errorf("Only: %v", err)
			}
			if _, err := All([]byte(test.raw)); err != test.all {
				t.Errorf("All: %v", err)
			}
		})
	}
}
