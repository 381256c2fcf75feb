package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

// oneToken accepts one access token and no other.
type oneToken struct{ resourceServer }

const onlyToken = "header.payload.signature"

// Authenticate implements server.Authenticator.
func (oneToken) Authenticate(_ context.Context, token string) (access.Principal, error) {
	if token != onlyToken {
		return access.Principal{}, errors.New(hidden)
	}
	return access.Principal{Caller: "oidc:1", Grant: access.FullGrant()}, nil
}

// FuzzAuthorization sends one or two Authorization headers: only a request with
// exactly one that holds exactly the token is admitted, and every other is told
// where to get a token.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer " + onlyToken, "bearer  " + onlyToken + " ", "Bearer\t" + onlyToken, "Basic " + onlyToken, onlyToken,
		"Bearer " + onlyToken + ", Bearer x", "Bearer " + onlyToken + "\x00", "Bearer \"" + onlyToken + "\"", "BEARER " + onlyToken, "Bearer ..",
	} {
		f.Add(seed, "")
		f.Add(seed, seed)
	}
	handler := newServer(newFixtures(), nil).Handler(server.HTTPOptions{OAuth: newResourceServer(), Bearer: server.Authenticators{oneToken{newResourceServer()}}})
	f.Fuzz(func(t *testing.T, first, second string) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader(wiretest.Legacy.Call(1, "whoami", nil)))
		r.Header.Set("Content-Type", "application/json")
		r.Header["Authorization"] = []string{first}
		if second != "" {
			r.Header["Authorization"] = []string{first, second}
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		scheme, token, _ := strings.Cut(first, " ")
		right := second == "" && strings.EqualFold(scheme, "Bearer") && strings.TrimSpace(token) == onlyToken
		if (w.Code == http.StatusOK) != right || !right && w.Code != http.StatusUnauthorized {
			t.Errorf("%q and %q: %d", first, second, w.Code)
		}
		challenge := w.Header().Get("WWW-Authenticate")
		if !right && !strings.Contains(challenge, `resource_metadata="http://127.0.0.1/`) || strings.ContainsAny(challenge, "\r\n") || strings.Contains(w.Body.String(), hidden) {
			t.Errorf("%q and %q: %q %s", first, second, challenge, w.Body)
		}
	})
}
