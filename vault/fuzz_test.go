package vault

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/sealed"
)

// What the decoder takes, it writes and takes again the same; what it refuses,
// it refuses without showing any of it.
func FuzzDecodePayload(f *testing.F) {
	good := &payload{generation: 3, secrets: map[string]Stored{"a": {Name: "a", Secret: sealed.Seal([]byte("secret")), UpdatedAt: time.Unix(0, 0).UTC()}}}
	data, err := json.Marshal(good.file())
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
		again, err := json.Marshal(p.file())
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
			if !q.secrets[key].Secret.Equal(s.Secret) {
				t.Error("a secret changed")
			}
		}
	})
}
