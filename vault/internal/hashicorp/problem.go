package hashicorp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

// status is the HTTP status of an error of the server, 0 for any other.
func status(err error) int {
	if answer, ok := errors.AsType[*api.ResponseError](err); ok {
		return answer.StatusCode
	}
	return 0
}

// says reports whether the server's own words hold a word. They are looked at
// and never passed on.
func says(err error, word string) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && strings.Contains(strings.ToLower(strings.Join(answer.Errors, " ")), word)
}

// foreign reports whether what answered speaks no JSON, as a vault server always
// does: something in front of it answered.
func foreign(err error) bool {
	answer, ok := errors.AsType[*api.ResponseError](err)
	return ok && answer.RawError
}

// passive reports whether the server said that it is one of those that wait to take
// over: a standby that knows no active server, or a secondary for disaster recovery.
// Any other standby forwards what it gets, or redirects.
func passive(err error) bool {
	code := status(err)
	return code == 472 || code == 473 || !foreign(err) && (says(err, "standby") || says(err, "not active") || says(err, "dr secondary"))
}

// refusedToken reports whether the server may have refused the token itself: it
// answers the same to one that has ended and to one that may not do this.
func refusedToken(err error) bool {
	code := status(err)
	return code == http.StatusForbidden || code == http.StatusUnauthorized
}

func (b *Backend) problem(ctx context.Context, err error, doing string) error {
	return backend.Server{
		Name: "The vault server " + b.settings.Address, Kind: "vault server", Unlike: "Check the address and any proxy in between.",
		Redirected: "A standby does this: give the address of the active server, or of a load balancer that finds it.",
		Unreached:  "Check the network and the server; until then, cached tokens are used.",
		Denied: "Give the role a policy for " + b.settings.Mount + "/data/" + b.settings.Path + "/* and " + b.settings.Mount + "/metadata/" + b.settings.Path +
			"/*; docs/vault.md has one.",
		Refused: "Check that " + b.settings.Mount + " is a key/value engine of version 2.",
	}.Problem(ctx, err, doing, status(err), b.refusal)
}

func (b *Backend) refusal(err error, doing string) *problems.Problem {
	server := "The vault server " + b.settings.Address
	switch code := status(err); {
	case code == 0:
		return nil
	case passive(err):
		return backend.Unavailable(server+" is a standby and does not forward requests.", "Give the address of the active server, or of a load balancer that finds it.")
	case foreign(err):
		return backend.Unavailable(fmt.Sprintf("Something other than a vault server answers at %s, with status %d.", b.settings.Address, code),
			"Check the load balancer or proxy in front of the server, and whether it finds an active server; until then, cached tokens are used.")
	case code == http.StatusServiceUnavailable && says(err, "sealed"):
		return backend.Unavailable(server+" is sealed.", "Ask an operator of the server to unseal it; until then, cached tokens are used.")
	case doing == "signing in" && (refusedToken(err) || code == http.StatusBadRequest):
		return backend.Broken(server+" does not accept the sign-in with "+b.settings.Auth.Method+".",
			"Check the role and put a fresh token, secret ID or JWT into "+b.settings.Auth.File+".")
	case code == http.StatusNotFound:
		return backend.Broken(server+" has nothing at the path for "+doing+".", "Check the mounts: key/value version 2 at "+b.settings.Mount+", and the namespace.")
	}
	return nil
}
