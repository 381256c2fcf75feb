package sealed

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// forms returns how the secret could look in an answer that repeats the
// request: plain, form-encoded, in a path, as JSON, base64 or hexadecimal.
func (s Secret) forms() []string {
	value := string(Bytes(s))
	quoted, _ := json.Marshal(value)
	return []string{
		value,
		url.QueryEscape(value),
		url.PathEscape(value),
		strings.Trim(string(quoted), `"`),
		base64.RawStdEncoding.EncodeToString([]byte(value)),
		base64.RawURLEncoding.EncodeToString([]byte(value)),
		hex.EncodeToString([]byte(value)),
	}
}
