package tenants

import (
	"reflect"
	"testing"
)

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
		for i := range s.entries {
			e, again := s.at(i), r.at(i)
			if !reflect.DeepEqual(settled(e), settled(again)) {
				t.Errorf("entry %+v became %+v", e, again)
			}
			if found, err := r.resolve(e.Name); err != nil || found.TenantID != e.TenantID {
				t.Errorf("%q is not found by its name", e.Name)
			}
		}
	})
}
