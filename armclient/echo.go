package armclient

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// echo knows how the token of a request could look in the answer to it: plain,
// base64 or hexadecimal, whole or in a piece. A debugging proxy, or an endpoint
// that is not what it should be, sends such things.
type echo struct {
	token string // as squeeze leaves it
	forms string // all forms, squeezed, one behind the other
}

const (
	// piece is how many characters of a token in a row count as it.
	piece = 16
	// block is half a piece: pieces of that length hold a whole block.
	block = piece / 2
)

func echoOf(authorization string) echo {
	_, token, found := strings.Cut(authorization, " ")
	if !found {
		token = authorization
	}
	plain := squeeze(token)
	encoded := squeeze(base64.StdEncoding.EncodeToString([]byte(token)))
	// The separator is no character that squeeze leaves: no piece reaches over it.
	forms := plain + "\x00" + encoded + "\x00" + hex.EncodeToString([]byte(token))
	return echo{token: plain, forms: forms}
}

// squeeze keeps the characters that tokens are written with. It makes no
// difference between cases and between the two alphabets of base64, and takes
// out what could stand between pieces: untrusted.Sanitize would join them again.
func squeeze(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '+', r == '/', r == '~':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		default:
			return -1
		}
	}, text)
}

// tokenLike finds what looks like any token: the beginning of a JWT, or the
// scheme with something after it.
var tokenLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{4,}|eyJ[A-Za-z0-9_-]{16,}|(?i:\bbearer\s)`)
})

// in reports whether a text holds the token, a piece of it, or what looks like
// another one.
func (e echo) in(text string) bool {
	if tokenLike().MatchString(shown(text)) {
		return true
	}
	squeezed := squeeze(text)
	if e.token != "" && strings.Contains(squeezed, e.token) {
		return true
	}
	return e.inPieces(squeezed)
}

// inPieces reports whether a squeezed text holds a piece of a form. A piece covers
// one of the blocks that the text is cut into, at any offset, so what lies around a
// block is looked for only where a form has the block.
func (e echo) inPieces(squeezed string) bool {
	for at := 0; at+block <= len(squeezed); at += block {
		if !strings.Contains(e.forms, squeezed[at:at+block]) {
			continue
		}
		for start := max(0, at-block+1); start <= at && start+piece <= len(squeezed); start++ {
			if strings.Contains(e.forms, squeezed[start:start+piece]) {
				return true
			}
		}
	}
	return false
}

// shown takes out what a reader would not see.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r > unicode.MaxASCII || r < ' ' || r == 0x7f:
			return -1
		default:
			return r
		}
	}, text)
}

// cleanIDs drops the IDs that do not look like IDs.
func (e echo) cleanIDs(h http.Header) {
	for _, name := range []string{"x-ms-request-id", "request-id", "x-ms-correlation-request-id"} {
		if id := h.Get(name); !requestIDForm().MatchString(id) || e.in(id) || strings.Contains(e.token, squeeze(id)) {
			h.Del(name)
		}
	}
}

// cleanBody takes the token out of an answer whose body is in memory, before
// anything reads it, and reports whether there was one. A body that is no JSON
// goes as a whole: nothing behind has a use for it.
func (e echo) cleanBody(resp *http.Response) (found bool) {
	body, err := runtime.Payload(resp)
	if err != nil {
		return false // the caller meets the same error
	}
	clean, found, err := e.withoutEchoes(withoutBOM(body))
	if err != nil {
		clean = nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(clean))
	return found
}

// requestIDForm has room for a GUID and for the longer IDs of gateways.
var requestIDForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
})

// withoutEchoes puts an empty string in place of every string of the JSON text
// that holds an echo, and leaves all other bytes as they are. A nextLink stays:
// it is never shown, and is itself often base64.
func (e echo) withoutEchoes(body []byte) (clean []byte, found bool, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var name string // of the member whose value comes next
	var copied int
	for begin := 0; ; begin = int(decoder.InputOffset()) {
		token, err := decoder.Token()
		if err == io.EOF {
			return append(clean, body[copied:]...), found, nil
		}
		if err != nil {
			return nil, found, err
		}
		text, isText := token.(string)
		end := int(decoder.InputOffset())
		if isText && bytes.HasPrefix(bytes.TrimLeft(body[end:], " \t\r\n"), []byte(":")) {
			name = text
			continue
		}
		if isText && name != "nextLink" && e.in(text) {
			found = true
			begin += bytes.IndexByte(body[begin:], '"')
			clean = append(append(clean, body[copied:begin]...), `""`...)
			copied = end
		}
		name = ""
	}
}
