package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// ClientKind says how this server knows a client.
type ClientKind string

// The kinds: by the document at its ID, by a registration of its own, or by the operator.
const (
	ByDocument     ClientKind = "document"
	ByRegistration ClientKind = "registered"
	ByOperator     ClientKind = "added"
)

// The ways in which clients authenticate at the token endpoint.
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

const (
	// unusedFor is how long a registration holds before its first use, and idleFor how
	// long a client is known after its last one.
	unusedFor = 24 * time.Hour
	idleFor   = 90 * 24 * time.Hour
	// maxRedirects bounds the redirect URIs of one client.
	maxRedirects = 20
)

// Client is an MCP client that asks people for access.
type Client struct {
	ID   string     `json:"id"`
	Kind ClientKind `json:"kind"`
	// Name is what the client, or the operator, calls it; untrusted unless the operator
	// gave it.
	Name      string   `json:"name,omitempty"`
	Redirects []string `json:"redirects,omitempty"`
	// Method is how it authenticates, and SecretHash what its secret is compared with.
	Method     string    `json:"method"`
	SecretHash string    `json:"secret_hash,omitempty"`
	AddedAt    time.Time `json:"added"`
	UsedAt     time.Time `json:"used,omitzero"`
	// Expires moves when the client is used; zero for one that the operator added.
	Expires guard.Stamp `json:"expires,omitzero"`
}

// Shown names a client for a person and the record by what is checked: the host of its
// document, or else its ID, beside the name that it gives itself.
func (c Client) Shown() string {
	switch c.Kind {
	case ByDocument:
		host, _, _ := strings.Cut(strings.TrimPrefix(c.ID, "https://"), "/")
		return host
	case ByOperator:
		return c.Name
	default:
		return "Unverified client " + nameShown(c.Name)
	}
}

// nameShown is a client's own name, with a note where it may look like another one.
func nameShown(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return untrusted.Shown(name) + " (with characters outside of ASCII)"
	}
	return untrusted.Shown(name)
}

// live reports whether the client is known still: one that nobody uses is forgotten.
func (c Client) live(now time.Time) bool { return c.Expires.IsZero() || now.Before(c.Expires.Time) }

// takes reports whether a redirect URI is one of the client's.
func (c Client) takes(uri string) bool {
	return isRedirect(uri) && slices.ContainsFunc(c.Redirects, func(one string) bool { return sameRedirect(one, uri) })
}

// localOnly reports whether the client takes its answers on the person's computer alone,
// where any program can pretend to be it.
func (c Client) localOnly() bool {
	return !slices.ContainsFunc(c.Redirects, func(uri string) bool {
		_, _, local := loopback(uri)
		return !local
	})
}

// shows reports whether a secret is the client's, in the same time for every other.
func (c Client) shows(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(digest("client", secret)), []byte(c.SecretHash)) == 1
}

// Clients are the clients that the store has, for commands of the operator. By is on
// whose behalf they are changed.
type Clients struct {
	Store guard.StateStore
	Now   func() time.Time
	By    access.Caller
}

// List returns all clients that are not expired, by ID.
func (c Clients) List(ctx context.Context) ([]Client, error) {
	return guard.Rows(ctx, c.Store, guard.ClientState, func(one Client) bool { return one.live(c.Now()) })
}

// Consents returns what people allow clients now.
func (c Clients) Consents(ctx context.Context) ([]Consent, error) {
	live, err := guard.Rows(ctx, c.Store, guard.FamilyState, func(f Family) bool { return f.live(c.Now()) })
	return xslices.Map(live, func(f Family) Consent { return f.Consent }), err
}

// Add registers a client beforehand. The secret, of one that is to authenticate, is
// returned once and kept nowhere.
func (c Clients) Add(ctx context.Context, name string, redirects []string, confidential bool) (client Client, secret string, err error) {
	client = Client{ID: "mpc_" + page.NewHandle(), Kind: ByOperator, Name: untrusted.Sanitize(name), Redirects: redirects, Method: authNone, AddedAt: c.Now()}
	if client.Name == "" || client.Name != name {
		return Client{}, "", problems.New(problems.CodeInvalidArgument, "The name of a client is one line of printable text.")
	}
	if err := checkRedirectList(redirects, isRedirect); err != nil {
		return Client{}, "", problems.New(problems.CodeInvalidArgument, "The client cannot be added: "+err.Error()+".",
			problems.WithHint("Give 1 to %d redirect URIs, such as https://HOST/PATH or http://127.0.0.1/callback.", maxRedirects))
	}
	if confidential {
		secret, client.Method = "mps_"+page.NewHandle(), authPost
		client.SecretHash = digest("client", secret)
	}
	event := eventOf(c.Now(), guard.KindClient, c.By, fmt.Sprintf("added %s as %s with the redirect URIs %s", client.ID, client.Name, strings.Join(redirects, ", ")))
	err = c.Store.ChangeStates(ctx, func(tx guard.StateTx) error { return tx.Put(guard.ClientState, client.ID, client, event) })
	return client, secret, err
}

// End ends what a person allowed a client.
func (c Clients) End(ctx context.Context, id string) error {
	return c.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		return end(tx, id, c.Now(), eventOf(c.Now(), guard.KindConsent, c.By, ""), "revoked by an approver")
	})
}

// Remove removes a client, and with it all that people allowed it.
func (c Clients) Remove(ctx context.Context, id string) error {
	return c.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		var client Client
		if ok, err := tx.State(guard.ClientState, id, &client); err != nil || !ok {
			return cmp.Or(err, error(problems.New(problems.CodeInvalidArgument, "There is no client with the ID "+untrusted.Shown(id)+".",
				problems.WithCommand("List the clients.", "mcp-partner clients list"))))
		}
		families, err := guard.Rows(ctx, tx, guard.FamilyState, func(f Family) bool { return f.Client.ID == id })
		if err != nil {
			return err
		}
		for _, one := range families {
			if err := end(tx, one.ID, c.Now(), eventOf(c.Now(), guard.KindConsent, c.By, ""), "the client was removed"); err != nil {
				return err
			}
		}
		return tx.Remove(guard.ClientState, id, eventOf(c.Now(), guard.KindClient, c.By, "removed "+id+", "+client.Shown()))
	})
}

// checkRedirectList refuses redirect URIs that a client may not have.
func checkRedirectList(redirects []string, allowed func(string) bool) error {
	if len(redirects) == 0 || len(redirects) > maxRedirects {
		return fmt.Errorf("it has %d redirect URIs", len(redirects))
	}
	for _, uri := range redirects {
		if !allowed(uri) {
			return fmt.Errorf("the redirect URI %s is not allowed here", untrusted.Shown(uri))
		}
	}
	return nil
}

// digest is what is kept of a handle. The purpose keeps one of a kind from being taken
// for another.
func digest(purpose, handle string) string {
	sum := sha256.Sum256([]byte("mcp-partner oauth " + purpose + "\x00" + handle))
	return purpose + "_" + hex.EncodeToString(sum[:])
}
