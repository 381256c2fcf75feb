package guard

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// User is a person of this server: somebody who approves on the terminal with a
// passphrase, who signs in with a passkey, or both.
type User struct {
	Name string `json:"name"`
	// Key is the key that a passphrase gives; nil for somebody without one.
	Key *PassphraseKey `json:"key,omitempty"`
	// Passkeys are what the person signs in with in a browser.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// Grant is what the person may do, and what they may approve.
	Grant access.Grant `json:"grant"`
	// Also are other callers, and Accounts accounts of the operating system, behind
	// which the same human is: what any of them asked for, this user does not approve.
	Also     []access.Caller `json:"also,omitempty"`
	Accounts []string        `json:"accounts,omitempty"`
	AddedAt  time.Time       `json:"added"`
	// InvitedAt is the moment of the last invitation: those from before are void.
	InvitedAt time.Time `json:"invited,omitzero"`
	// InvitedBy is who made the last invitation: an approver, or a caller on a page.
	InvitedBy string `json:"invited_by,omitempty"`
	// ResetAt is when the person was last invited anew. SignedOutAt is when they were
	// signed out: sessions, tokens and consents from before are void.
	ResetAt     time.Time `json:"reset,omitzero"`
	SignedOutAt time.Time `json:"signed_out,omitzero"`
}

// PassphraseKey is the public half of a key that only a passphrase gives.
type PassphraseKey struct {
	// Salt and the cost are Argon2id's; Memory is in KiB.
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	// PublicKey is Ed25519's.
	PublicKey []byte `json:"public_key"`
}

// Passkey is a WebAuthn credential.
type Passkey struct {
	ID        []byte `json:"id"`
	PublicKey []byte `json:"public_key"`
	// Origin is where the passkey was made, and signs.
	Origin    string `json:"origin"`
	SignCount uint32 `json:"sign_count"`
	// BackupEligible says that the passkey may be on several devices; it never changes.
	BackupEligible bool      `json:"backup_eligible,omitempty"`
	AAGUID         []byte    `json:"aaguid,omitempty"`
	Name           string    `json:"name,omitempty"`
	AddedAt        time.Time `json:"added"`
	// ConfirmedBy is the approver who said that a new passkey is the right person's.
	ConfirmedBy string `json:"confirmed_by,omitempty"`
}

// userCaller begins the name of a caller who is a user of this server.
const userCaller = "user:"

// UserCaller is the caller that a user of this server makes.
func UserCaller(name string) access.Caller { return access.Caller(userCaller + name) }

// granted is the user's grant; where nothing was said it is approving, in all tenants.
func (u User) granted() access.Grant {
	if len(u.Grant.Scopes) == 0 {
		u.Grant.Scopes = []access.Scope{access.ScopeApprove}
	}
	if len(u.Grant.Tenants) == 0 {
		u.Grant.Tenants = []string{access.AllTenants}
	}
	return u.Grant
}

// Users returns the users of a store, by name.
func Users(ctx context.Context, store StateStore) ([]User, error) {
	return Rows(ctx, store, UserState, func(User) bool { return true })
}

// Approvers returns the users of a store who approve with a passphrase, by name.
func Approvers(ctx context.Context, store StateStore) ([]User, error) {
	return Rows(ctx, store, UserState, User.approves)
}

// Users returns all users, by name.
func (g *Guard) Users(ctx context.Context) ([]User, error) { return Users(ctx, g.opts.Store) }

// Approvers returns the users who approve with a passphrase, by name.
func (g *Guard) Approvers(ctx context.Context) ([]User, error) { return Approvers(ctx, g.opts.Store) }

// approves reports whether the user can sign an approval.
func (u User) approves() bool { return u.Key != nil && u.Grant.Has(access.ScopeApprove) }

func (g *Guard) approver(ctx context.Context, name string) (User, error) {
	approvers, err := g.Approvers(ctx)
	if err != nil {
		return User{}, err
	}
	i := slices.IndexFunc(approvers, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, problems.New(problems.CodeNotAllowed, "There is no approver "+quote(name)+".",
			problems.WithCommand("Ask a person to add one.", "mcp-partner users add NAME"))
	}
	return approvers[i], nil
}

// Credentials are an approver's name and passphrase.
type Credentials struct {
	Name       string
	Passphrase []byte
}

// check refuses what a user cannot be named or given. The name is a part of a caller's
// name, of log lines and of rules.
func (u User) check() error {
	if !tokenName().MatchString(u.Name) {
		return badUser("A user needs a name of letters, digits and . _ @ -, at most 64 characters long.")
	}
	for _, caller := range u.Also {
		if !caller.Remote() {
			return badUser("--also has " + quote(caller) + ", which is no caller over HTTP such as oidc:HASH, entra:TENANT:OBJECT or token:NAME.")
		}
	}
	return checkGrant(u.Grant, badUser)
}

// bounded reports whether anything was said of what the user may do and who they are.
func (u User) bounded() bool {
	return len(u.Grant.Scopes)+len(u.Grant.Tenants)+len(u.Grant.Tools)+len(u.Grant.PartnerIDs)+len(u.Also)+len(u.Accounts) > 0
}

// AddUser adds a user with a passphrase, or gives one without it a passphrase. The first
// approver needs no consent, everybody else that of an approver.
func (g *Guard) AddUser(ctx context.Context, user User, passphrase []byte, by Credentials) error {
	if err := user.check(); err != nil {
		return err
	}
	if err := g.vouched(ctx, by, true); err != nil {
		return err
	}
	key, err := NewPassphraseKey(passphrase, g.opts.ApproverCost)
	if err != nil {
		return err
	}
	return g.changeUser(ctx, user.Name, byPassphrase(by), func(_ StateTx, known *User) (string, error) {
		switch {
		case known.Name != "" && (known.Key != nil || user.bounded()):
			return "", badUser("There is a user " + quote(user.Name) + " already.")
		case known.Name == "":
			user.AddedAt, user.Grant = g.opts.Now(), user.granted()
			*known = user
		}
		known.Key = &key
		return "added " + known.describe(), nil
	})
}

// RemoveUser removes a user, and ends what they signed in to and the tokens to approve
// that they consented to. An approver has to consent, if there is one.
func (g *Guard) RemoveUser(ctx context.Context, name string, by Credentials) error {
	if err := g.vouched(ctx, by, true); err != nil {
		return err
	}
	return g.removeUser(ctx, name, byPassphrase(by))
}

func (g *Guard) removeUser(ctx context.Context, name string, by consent) error {
	return g.opts.Store.ChangeStates(ctx, func(tx StateTx) error {
		var user User
		if err := by.begin(tx); err != nil {
			return err
		}
		if _, err := tx.State(UserState, name, &user); err != nil {
			return err
		}
		if err := found(user, name); err != nil {
			return err
		}
		event := by.entry(g, "removed "+name)
		event.Passkey = user.passkeyChange(User{Name: name})
		if err := tx.Remove(UserState, name, event); err != nil {
			return err
		}
		return errors.Join(g.revokeVouched(ctx, tx, name), g.endSignIns(ctx, tx, User{Name: name}, by.by))
	})
}

// changeUser changes a user, or adds one whose row the change fills, with an entry that
// it words.
func (g *Guard) changeUser(ctx context.Context, name string, by consent, change func(StateTx, *User) (string, error)) error {
	return g.opts.Store.ChangeStates(ctx, func(tx StateTx) error {
		var before, user User
		if err := by.begin(tx); err != nil {
			return err
		}
		if _, err := tx.State(UserState, name, &user); err != nil {
			return err
		}
		before = user
		before.Passkeys = slices.Clone(user.Passkeys)
		detail, err := change(tx, &user)
		if err != nil {
			return err
		}
		event := by.entry(g, detail)
		event.Passkey = before.passkeyChange(user)
		return tx.Put(UserState, name, user, event)
	})
}

// passkeyChange is what the record says of passkeys that are confirmed or taken away
// in a change of the user, or nil.
func (u User) passkeyChange(after User) *PasskeyChange {
	confirmed := func(k Passkey) bool { return k.ConfirmedBy != "" }
	switch {
	case len(u.Passkeys) > 0 && len(after.Passkeys) == 0:
		return &PasskeyChange{User: u.Name, Became: PasskeyVoid}
	case slices.ContainsFunc(after.Passkeys, confirmed) && !slices.ContainsFunc(u.Passkeys, confirmed):
		return &PasskeyChange{User: u.Name, Became: PasskeyConfirmed}
	default:
		return nil
	}
}

func found(user User, name string) error {
	if user.Name == "" {
		return badUser("There is no user " + quote(name) + ".")
	}
	return nil
}

func badUser(message string) error {
	return problems.New(problems.CodeInvalidArgument, message, problems.WithCommand("List the users.", "mcp-partner users list"))
}

// vouched checks an approver's passphrase. firstFree allows all where there is no
// approver yet.
func (g *Guard) vouched(ctx context.Context, by Credentials, firstFree bool) error {
	approvers, err := g.Approvers(ctx)
	if err != nil || firstFree && len(approvers) == 0 {
		return err
	}
	approver, err := g.approver(ctx, by.Name)
	if err != nil {
		return err
	}
	_, err = approver.sign(by.Passphrase, nil)
	return err
}

// vouchedFor checks an approver's passphrase, and that a grant is not more than theirs.
func (g *Guard) vouchedFor(ctx context.Context, by Credentials, grant access.Grant) error {
	approver, err := g.approver(ctx, by.Name)
	if err != nil {
		return err
	}
	if !approver.covers(grant) {
		return problems.New(problems.CodeNotAllowed, "The approver "+quote(by.Name)+" has a smaller grant, and the token would decide in that approver's place.",
			problems.WithHint("Name only tenants, tools and partner IDs of that approver, or ask another one."))
	}
	return g.vouched(ctx, by, false)
}

// covers reports whether a grant is not more than what the user has, scopes aside.
func (u User) covers(grant access.Grant) bool {
	part := func(list, of []string) bool {
		return of == nil || list != nil && !slices.ContainsFunc(list, func(one string) bool { return !slices.Contains(of, one) })
	}
	return part(grant.Tools, u.Grant.Tools) && part(grant.PartnerIDs, u.Grant.PartnerIDs) &&
		!slices.ContainsFunc(grant.Tenants, func(tenant string) bool { return !u.Grant.AllowsTenant(tenant) })
}

// revokeVouched revokes the tokens that decide in an approver's place, and with
// them their unused approvals.
func (g *Guard) revokeVouched(ctx context.Context, tx StateTx, approver string) error {
	_, err := g.revoke(ctx, tx, g.opts.Account, func(t Token) bool { return t.IssuedBy == approver && t.Grant.Has(access.ScopeApprove) })
	return err
}

// Cost is what deriving a passphrase's key costs with Argon2id. Memory is in
// KiB. It is kept with each key, so that it can be raised later.
type Cost struct {
	Time, Memory uint32
	Threads      uint8
}

// minPassphrase is the least length of a passphrase, in bytes.
const minPassphrase = 8

// NewPassphraseKey makes a key. Only the passphrase gives its private half, which is
// kept nowhere.
func NewPassphraseKey(passphrase []byte, cost Cost) (PassphraseKey, error) {
	if len(passphrase) < minPassphrase {
		return PassphraseKey{}, problems.New(problems.CodeInvalidArgument, "The passphrase is too short: use at least 8 characters.")
	}
	k := PassphraseKey{Salt: make([]byte, 16), Time: cost.Time, Memory: cost.Memory, Threads: cost.Threads}
	_, _ = rand.Read(k.Salt)
	k.PublicKey = k.private(passphrase).Public().(ed25519.PublicKey)
	return k, nil
}

func (k PassphraseKey) private(passphrase []byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(argon2.IDKey(passphrase, k.Salt, k.Time, k.Memory, k.Threads, ed25519.SeedSize))
}

// sign signs a digest with the key that the passphrase gives. A wrong
// passphrase is a CodeNotAllowed problem.
func (u User) sign(passphrase, digest []byte) ([]byte, error) {
	key := u.Key.private(passphrase)
	defer clear(key)
	if !bytes.Equal(key.Public().(ed25519.PublicKey), u.Key.PublicKey) {
		return nil, problems.New(problems.CodeNotAllowed, "That is not the passphrase of approver "+quote(u.Name)+".",
			problems.WithHint("Type the passphrase that was set when the user was added."))
	}
	return ed25519.Sign(key, digest), nil
}
