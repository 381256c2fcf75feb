package guard

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// ChangesUsers is in the place of an approval's ID where a user is changed on a page.
const ChangesUsers = "users"

// What an approver does with a user on a page.
const (
	ActInvite  = "invite"
	ActReset   = "reset"
	ActConfirm = "confirm"
	ActRemove  = "remove"
)

// UserChange is what an approver wants to do with a user on a page. All but an
// invitation of somebody new and a confirmation take the name alone.
type UserChange struct {
	Act   string       `json:"act"`
	Name  string       `json:"name"`
	Grant access.Grant `json:"grant"`
	// Key is the reference of the passkey that is confirmed.
	Key string `json:"key,omitempty"`
}

func (c UserChange) user() User { return User{Name: c.Name, Grant: c.Grant} }

// detail says what is consented to, as the record has it.
func (c UserChange) detail() string {
	switch c.Act {
	case ActInvite:
		u := c.user()
		u.Grant = u.granted()
		return "invited " + u.describe()
	case ActReset:
		return "reset and invited " + c.Name
	case ActConfirm:
		return "confirmed the passkey " + c.Key + " of " + c.Name
	default:
		return "removed " + c.Name
	}
}

// Digest names the change, so that what is done is what was consented to.
func (c UserChange) Digest() [sha256.Size]byte {
	canonical, _ := json.Marshal(c)
	return sha256.Sum256(canonical)
}

// consent is an approver's agreement to a change of a user.
type consent struct {
	// by is the approver's name, or the caller on a page.
	by string
	// The others are set where it was given on a page.
	caller access.Caller
	// names are those under which the same person may have invited somebody.
	names  []string
	change UserChange
	proof  *Proof
	// spend uses the proof up.
	spend func(StateTx) error
}

// byPassphrase is the consent of somebody whose passphrase was checked.
func byPassphrase(by Credentials) consent { return consent{by: by.Name} }

// entry is the event of a change that was consented to. On a page it says what was
// consented to, which a passkey may have signed.
func (c consent) entry(g *Guard, detail string) Event {
	event := g.change(KindUser, c.by, detail)
	if c.caller != "" {
		event.Intent.Caller, event.Detail, event.Proof = c.caller, c.change.detail(), c.proof
	}
	return event
}

// begin uses the proof of the consent up, in the transaction of the change.
func (c consent) begin(tx StateTx) error {
	if c.spend == nil {
		return nil
	}
	return c.spend(tx)
}

// BeginUserChange returns the statement that a passkey has to sign for a change of a
// user, as BeginDecision does for a decision.
func (g *Guard) BeginUserChange(ctx context.Context, p access.Principal, change UserChange) (Statement, [][]byte, error) {
	if err := g.mayChangeUser(ctx, p, change); err != nil {
		return Statement{}, nil, err
	}
	return g.begins(ctx, Statement{Approval: ChangesUsers, Digest: change.Digest(), Approved: true, Reason: change.detail(), By: p.Caller})
}

// ChangeUser changes a user for an approver of all tenants, who proves it as on a page,
// and is somebody else. It returns the handle of an invitation, which is kept nowhere.
func (g *Guard) ChangeUser(ctx context.Context, p access.Principal, change UserChange, said DecisionRequest) (handle string, err error) {
	if err := g.mayChangeUser(ctx, p, change); err != nil {
		return "", err
	}
	said.Page = true
	decision := Decision{Approved: true, Approver: string(p.Caller), By: p.Caller, Reason: change.detail(), At: g.opts.Now()}
	if err := g.prove(&decision, said); err != nil {
		return "", err
	}
	if err := g.settled(ctx, p.Caller, decision.At); err != nil {
		return "", err
	}
	users, err := g.Users(ctx)
	if err != nil {
		return "", err
	}
	by := consent{by: decision.Approver, caller: p.Caller, names: namesOf(users, p.Caller), change: change, proof: decision.Proof, spend: func(tx StateTx) error {
		if decision.Proof == nil {
			return nil
		}
		return g.useUp(tx, users, ChangesUsers, change.Digest(), decision)
	}}
	switch change.Act {
	case ActInvite:
		return g.inviteUser(ctx, change.user(), by)
	case ActReset:
		return g.resetUser(ctx, change.Name, by)
	case ActConfirm:
		return "", g.confirmUser(ctx, change.Name, by)
	default:
		return "", g.removeUser(ctx, change.Name, by)
	}
}

// namesOf are the names of the users who a caller is, and their other callers.
func namesOf(users []User, caller access.Caller) (names []string) {
	for _, u := range users {
		if u.signsFor(caller) {
			names = append(names, u.Name, string(UserCaller(u.Name)))
			for _, other := range u.Also {
				names = append(names, string(other))
			}
		}
	}
	return names
}

// mayChangeUser refuses who may not approve in all tenants, who means themselves, and a
// grant beyond their own.
func (g *Guard) mayChangeUser(ctx context.Context, p access.Principal, change UserChange) error {
	if err := mayApprove(p); err != nil {
		return err
	}
	if err := change.user().check(); err != nil {
		return err
	}
	if !slices.Contains([]string{ActInvite, ActReset, ActConfirm, ActRemove}, change.Act) {
		return problems.New(problems.CodeInvalidArgument, "A user is invited, reset, confirmed or removed.")
	}
	var known User
	if _, err := g.opts.Store.State(ctx, UserState, change.Name, &known); err != nil {
		return err
	}
	beyond := func(grant access.Grant) bool {
		return !User{Grant: p.Grant}.covers(grant) || slices.ContainsFunc(grant.Scopes, func(s access.Scope) bool { return !p.Grant.Has(s) })
	}
	switch {
	case !p.Grant.Everywhere():
		return problems.New(problems.CodeNotAllowed, "Only who may approve in all tenants changes users.")
	case change.Name == strings.TrimPrefix(string(p.Caller), userCaller), known.is(p.Caller):
		return problems.New(problems.CodeNotAllowed, "Nobody changes the user that they are: another approver must.")
	case beyond(change.user().granted()), change.Act == ActReset && beyond(known.Grant): // who has the link can be that user
		return problems.New(problems.CodeNotAllowed, "The user would get more than you have.", problems.WithHint("Give fewer scopes, tools or partner IDs."))
	default:
		return nil
	}
}
