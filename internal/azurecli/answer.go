package azurecli

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/schemas"
)

// decodeObject decodes the first JSON object that want accepts. az prints more
// than its JSON at times: warnings, colours, a byte order mark.
func decodeObject[T any](output []byte, want func(T) bool) (T, bool) {
	for at := bytes.IndexByte(output, '{'); at >= 0; {
		var answer T
		if json.NewDecoder(bytes.NewReader(output[at:])).Decode(&answer) == nil && want(answer) {
			return answer, true
		}
		next := bytes.IndexByte(output[at+1:], '{')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	var none T
	return none, false
}

type tokenAnswer struct {
	AccessToken string          `json:"accessToken"`
	Seconds     json.RawMessage `json:"expires_on"`
	Local       string          `json:"expiresOn"`
}

// DecodeToken reads az's answer. Before version 2.54 it names the end of the
// token only in local time.
func DecodeToken(output []byte) (azcore.AccessToken, error) {
	answer, ok := decodeObject(output, func(a tokenAnswer) bool { return a.AccessToken != "" })
	if !ok {
		return azcore.AccessToken{}, errors.New("no token")
	}
	expires, err := answer.expires()
	return azcore.AccessToken{Token: answer.AccessToken, ExpiresOn: expires.UTC()}, err
}

// expires reads a number, a number as a text, or a number with a fraction.
func (a tokenAnswer) expires() (time.Time, error) {
	seconds, err := strconv.ParseFloat(strings.Trim(string(a.Seconds), `"`), 64)
	if err == nil && seconds > 0 && seconds < 1<<40 {
		return time.Unix(int64(seconds), 0), nil
	}
	expires, err := time.ParseInLocation("2006-01-02 15:04:05.999999", a.Local, time.Local)
	if err != nil {
		return time.Time{}, errors.New("no expiry")
	}
	return expires, nil
}

// NoAnswer makes the problem of output without the object that was asked for.
func NoAnswer(command string) *schemas.Problem {
	return Unavailable("az ended without an error and printed no usable JSON object.", schemas.WithCommand("Ask a person to check the output of az.", "%s", command))
}

var notSignedIn = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)please run:? ['"\x60]?az login['"\x60]? to (setup|set up|access)|not logged in|does not exist in MSAL token cache|no subscriptions? found`)
})

var entraNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`AADSTS(\d{4,8})`) })

// EntraNumber returns the number of Entra ID's error in az's messages, 0 where
// there is none.
func EntraNumber(messages []byte) int {
	found := entraNumber().FindSubmatch(messages)
	if found == nil {
		return 0
	}
	number, _ := strconv.Atoi(string(found[1]))
	return number
}

// Failed makes the problem of an az that ended with an error. Of its messages
// nothing is passed on: they may hold anything. Only az itself can say that
// nobody is signed in; every other cause is in its messages, which command shows.
func Failed(messages []byte, command, login string) *schemas.Problem {
	if notSignedIn().Match(messages) {
		return Unavailable("Nobody is signed in with az, or the sign-in has ended.", schemas.WithCommand("Ask a person to sign in.", "%s", login))
	}
	p := Unavailable("az failed; its output has the reason.",
		schemas.WithCommand("Ask a person to check the output of az.", "%s", command))
	p.Retryable = true
	return p
}
