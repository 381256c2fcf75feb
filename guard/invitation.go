package guard

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const (
	// invitationPurpose tells an invitation from other rows that are good once.
	invitationPurpose = "invitation"
	invitationLife    = 15 * time.Minute
	// newKeyWaits is how long a passkey approves nothing, unless an approver confirms it.
	newKeyWaits = 24 * time.Hour
)

// Invitation is a link with which a user makes a passkey, once. It is kept under
// InvitationName of its handle.
type Invitation struct {
	Purpose  string    `json:"purpose"`
	User     string    `json:"user"`
	IssuedBy string    `json:"issued_by"`
	IssuedAt time.Time `json:"issued"`
	Expires  Stamp     `json:"expires"`
}

// NewInvitation makes an invitation. The handle is returned once and kept nowhere; the
// row has still to be stored.
func NewInvitation(user, by string, now time.Time) (handle string, row Invitation) {
	return newHandle(), Invitation{Purpose: invitationPurpose, User: user, IssuedBy: by, IssuedAt: now, Expires: Stamp{Time: now.Add(invitationLife)}}
}

// InvitationName is the name of the row of an invitation.
func InvitationName(handle string) string {
	sum := sha256.Sum256([]byte("mcp-partner invitation\x00" + handle))
	return hex.EncodeToString(sum[:])
}

// Holds reports whether a user may make a passkey with an invitation: one from before
// the user was added, invited again or reset, or made a passkey, is void.
func (i Invitation) Holds(user User, now time.Time) bool {
	return i.Purpose == invitationPurpose && i.User == user.Name && now.Before(i.Expires.Time) &&
		!i.IssuedAt.Before(user.AddedAt) && !i.IssuedAt.Before(user.InvitedAt) && !i.IssuedAt.Before(user.ResetAt) && len(user.Passkeys) == 0
}

// InviteUser invites somebody to enrol a passkey: a new user, or one who has none yet and
// keeps their grant. It returns the handle of the link, which is kept nowhere. An
// approver consents, if there is one.
func (g *Guard) InviteUser(ctx context.Context, user User, by Credentials) (handle string, err error) {
	if err := user.check(); err != nil {
		return "", err
	}
	if err := g.vouched(ctx, by, true); err != nil {
		return "", err
	}
	return g.inviteUser(ctx, user, byPassphrase(by))
}

func (g *Guard) inviteUser(ctx context.Context, user User, by consent) (handle string, err error) {
	return g.invite(ctx, user.Name, by, func(_ StateTx, known *User) (string, error) {
		switch {
		case known.Name == "":
			user.Grant, user.AddedAt = user.granted(), g.opts.Now()
			*known = user
		case len(known.Passkeys) > 0:
			return "", problems.New(problems.CodeInvalidArgument, "The user "+quote(user.Name)+" has a passkey already.",
				problems.WithCommand("Reset the user if the passkey is lost.", "mcp-partner users reset %s", user.Name))
		case user.bounded():
			return "", badUser("The user " + quote(user.Name) + " exists already and keeps the present grant: leave the flags of the grant out.")
		}
		return "invited " + known.describe(), nil
	})
}

// ResetUser takes everything from a user but the grant, and invites them anew: the
// passphrase and passkeys are removed, sessions, tokens and consents end, and what
// they asked for or approved is void. A second approver consents, if there is one.
func (g *Guard) ResetUser(ctx context.Context, name string, by Credentials) (handle string, err error) {
	if by.Name == name {
		return "", problems.New(problems.CodeNotAllowed, "Approvers cannot consent to their own reset: a second approver must.",
			problems.WithCommand("Give the name of another approver.", "mcp-partner users list"))
	}
	if err := g.vouched(ctx, by, true); err != nil {
		return "", err
	}
	return g.resetUser(ctx, name, byPassphrase(by))
}

func (g *Guard) resetUser(ctx context.Context, name string, by consent) (handle string, err error) {
	return g.invite(ctx, name, by, func(tx StateTx, user *User) (string, error) {
		if err := found(*user, name); err != nil {
			return "", err
		}
		err := errors.Join(g.revokeVouched(ctx, tx, name), g.endSignIns(ctx, tx, *user, by.by), g.voidTickets(ctx, tx, *user, by.by))
		user.Key, user.Passkeys, user.ResetAt, user.SignedOutAt = nil, nil, g.opts.Now(), g.opts.Now()
		return "reset and invited " + user.describe(), err
	})
}

// invite changes a user and adds an invitation, with an entry that the change words.
func (g *Guard) invite(ctx context.Context, name string, by consent, change func(StateTx, *User) (string, error)) (handle string, err error) {
	err = g.changeUser(ctx, name, by, func(tx StateTx, user *User) (string, error) {
		detail, err := change(tx, user)
		if err != nil {
			return "", err
		}
		var row Invitation // not from before the change, which would make it void
		handle, row = NewInvitation(name, by.by, g.opts.Now())
		user.InvitedAt, user.InvitedBy = row.IssuedAt, by.by
		return detail, tx.Put(OnceState, InvitationName(handle), row)
	})
	if err != nil {
		return "", err
	}
	return handle, nil
}

// ConfirmUser lets the passkeys of a user approve at once. Another approver consents.
func (g *Guard) ConfirmUser(ctx context.Context, name string, by Credentials) error {
	if by.Name == name {
		return problems.New(problems.CodeNotAllowed, "Approvers cannot confirm their own passkeys: a second approver must.")
	}
	if err := g.vouched(ctx, by, false); err != nil {
		return err
	}
	return g.confirmUser(ctx, name, byPassphrase(by))
}

func (g *Guard) confirmUser(ctx context.Context, name string, by consent) error {
	return g.changeUser(ctx, name, by, func(_ StateTx, user *User) (string, error) {
		if by.caller != "" && (user.InvitedBy == by.by || slices.Contains(by.names, user.InvitedBy)) { // one stolen session would be two approvers
			return "", problems.New(problems.CodeNotAllowed, "Nobody confirms on a page the passkey of somebody whom they invited: another approver must.")
		}
		waiting := user.waiting(g.opts.Now())
		switch {
		case len(waiting) == 0:
			return "", badUser("The user " + quote(name) + " has no passkey that waits for a confirmation.")
		case by.caller != "" && (len(waiting) > 1 || waiting[0].Ref() != by.change.Key):
			return "", problems.New(problems.CodeStateMoved, "The passkey of "+quote(name)+" is another one than the one that was shown.", problems.WithHint("Open the page again, and ask that person which key it is."))
		}
		for i := range user.Passkeys {
			user.Passkeys[i].ConfirmedBy = by.by
		}
		return "confirmed the passkey of " + name, nil
	})
}

// Fresh reports whether the user has a passkey that is too new to approve with.
func (u User) Fresh(now time.Time) bool { return len(u.waiting(now)) > 0 }

func (u User) waiting(now time.Time) []Passkey {
	return xslices.Filter(u.Passkeys, func(k Passkey) bool { return k.ConfirmedBy == "" && now.Before(k.ApprovesFrom()) })
}

// Ref is a short name of a passkey, which follows from its ID.
func (k Passkey) Ref() string {
	sum := sha256.Sum256(k.ID)
	return hex.EncodeToString(sum[:6])
}

// ApprovesFrom is when a passkey that nobody confirms approves for the first time.
func (k Passkey) ApprovesFrom() time.Time { return k.AddedAt.Add(newKeyWaits) }

// SignOutUser ends the sessions of a user, what they allowed to clients, and the tokens
// that follow from it. It takes no passphrase: a session less does no harm.
// A person of an issuer, who has no row, is named by their caller. By is who asked for
// it, "" for the account of this process.
func (g *Guard) SignOutUser(ctx context.Context, name, by string) error {
	by = cmp.Or(by, g.opts.Account)
	if caller := access.Caller(name); caller.Remote() {
		return g.opts.Store.ChangeStates(ctx, func(tx StateTx) error {
			return g.endSignIns(ctx, tx, User{Also: []access.Caller{caller}}, by)
		})
	}
	return g.changeUser(ctx, name, consent{by: by}, func(tx StateTx, u *User) (string, error) {
		if err := found(*u, name); err != nil {
			return "", err
		}
		u.SignedOutAt = g.opts.Now()
		return "signed out " + name, g.endSignIns(ctx, tx, *u, by)
	})
}

// signIn is what a session and a consent have in common.
type signIn struct {
	ID     string `json:"id"`
	Person struct {
		Caller access.Caller `json:"caller"`
		Name   string        `json:"name"`
	} `json:"person"`
	Expires Stamp `json:"expires"`
}

// of reports whether it belongs to a user, under whatever name.
func (s signIn) of(user User) bool { return user.is(s.Person.Caller) }

// Sessions counts the live sessions of a user.
func (g *Guard) Sessions(ctx context.Context, user User) (int, error) {
	live, err := Rows(ctx, g.opts.Store, SessionState, func(s signIn) bool { return s.of(user) && g.opts.Now().Before(s.Expires.Time) })
	return len(live), err
}

// Browsers are the live sessions of somebody. The name is untrusted text.
type Browsers struct {
	Caller access.Caller
	Name   string
	Count  int
}

// SignedIn returns everybody who is signed in, by caller.
func (g *Guard) SignedIn(ctx context.Context) ([]Browsers, error) {
	live, err := Rows(ctx, g.opts.Store, SessionState, func(s signIn) bool { return g.opts.Now().Before(s.Expires.Time) })
	all := map[access.Caller]Browsers{}
	for _, one := range live {
		all[one.Person.Caller] = Browsers{one.Person.Caller, one.Person.Name, all[one.Person.Caller].Count + 1}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Browsers) int { return strings.Compare(string(a.Caller), string(b.Caller)) }), err
}

// endSignIns removes sessions and consents of a user and revokes the tokens. What was
// not exchanged for tokens yet is void without its session.
func (g *Guard) endSignIns(ctx context.Context, tx StateTx, user User, by string) error {
	for _, kind := range []StateKind{SessionState, FamilyState} {
		rows, err := Rows(ctx, tx, kind, func(s signIn) bool { return s.of(user) })
		if err != nil {
			return err
		}
		for _, one := range rows {
			if err := tx.Remove(kind, one.ID, g.change(KindSignIn, by, "ended a "+string(kind)+" of "+string(one.Person.Caller))); err != nil {
				return err
			}
		}
	}
	_, err := g.revoke(ctx, tx, by, func(t Token) bool { return user.is(t.Caller) })
	return err
}

// voidTickets uses up the open questions that a user asked, and those that they approved.
func (g *Guard) voidTickets(ctx context.Context, tx StateTx, user User, by string) error {
	tickets, err := Rows(ctx, tx, TicketState, func(t Ticket) bool {
		return !t.InBand && t.Live(g.opts.Now()) && (user.asked(t) || slices.ContainsFunc(t.decisions(), user.decided))
	})
	for _, t := range tickets {
		event := g.event(KindDeclined, t.Intent, t.ID)
		event.Approver, event.Detail = by, "the user "+user.Name+" was reset"
		t.Spend([]Event{event})
		if err := tx.Put(TicketState, t.ID, t, event); err != nil {
			return err
		}
	}
	return err
}

func (u User) describe() string {
	words := append([]string{u.Name}, grantWords(u.Grant)...)
	if len(u.Also) > 0 {
		words = append(words, "also "+joined(u.Also))
	}
	if len(u.Accounts) > 0 {
		words = append(words, "accounts "+joined(u.Accounts))
	}
	return strings.Join(words, "; ")
}
