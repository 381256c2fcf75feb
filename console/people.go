package console

import (
	"context"
	"net/http"
	"strings"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const peoplePath = accessPath + "/people"

// peopleForm is where an approver invites, resets, confirms and removes other people.
func (v *visit) peopleForm(fresh []guard.User) page.Node {
	scopes := []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeChange, access.ScopeApprove}
	scopes = xslices.Filter(scopes, func(s access.Scope) bool { return v.may(s) })
	return page.Section("change", "Invite and change people", page.Each(fresh, func(u guard.User) page.Node {
		key := u.Passkeys[len(u.Passkeys)-1]
		return page.Group{
			page.Line(page.Text("The passkey "), page.El("code", page.Text(key.Ref())), page.Text(" of "), page.Untrusted(u.Name), page.Text(" was made "), page.Time(key.AddedAt),
				page.Text(". Ask that person, not over the channel of the invitation, whether they made it then.")),
			v.signedForm(peoplePath, false, []page.Node{page.Hidden("name", u.Name), page.Hidden("key", key.Ref())}, signedAnswer{guard.ActConfirm, "Confirm the passkey"}),
		}
	}), page.P("An invitation is a link with which somebody makes a passkey: it works once, for 15 minutes. A reset takes all passkeys and the passphrase first. "+
		"A new passkey approves nothing for a day, unless an approver who did not invite that person confirms it. Everything here is in the record, and goes to the approvers' webhook."),
		v.signedForm(peoplePath, false, []page.Node{
			page.Field("name", "Name", "", page.Attr("required"), page.Attr("autocomplete", "off")),
			page.Field("tenants", "Customers of somebody new (names or globs, separated by commas; all if empty)", "", page.Attr("autocomplete", "off")),
			page.Each(scopes, func(s access.Scope) page.Node {
				return page.Check("scope", string(s), s == access.ScopeRead, page.Text("may "+access.InWords([]access.Scope{s})))
			}),
		}, signedAnswer{guard.ActInvite, "Invite"}, signedAnswer{guard.ActReset, "Reset and invite"}, signedAnswer{guard.ActRemove, "Remove"}))
}

// userChange is what a form wants, with the proof if there is one.
func (v *visit) userChange() (change guard.UserChange, said guard.DecisionRequest, err error) {
	form := v.r.PostForm
	change = guard.UserChange{Act: form.Get("answer"), Name: strings.TrimSpace(form.Get("name")), Key: form.Get("key")}
	if change.Act == guard.ActInvite {
		change.Grant.Scopes = xslices.Map(form["scope"], func(s string) access.Scope { return access.Scope(s) })
		for name := range strings.SplitSeq(form.Get("tenants"), ",") {
			if name = strings.TrimSpace(name); name != "" {
				change.Grant.Tenants = append(change.Grant.Tenants, name)
			}
		}
		if len(change.Grant.Scopes) == 0 {
			return change, said, problems.New(problems.CodeInvalidArgument, "Nobody is invited to do nothing.", problems.WithHint("Go back and choose what they may do."))
		}
	}
	said = guard.DecisionRequest{Approved: true, Page: true, SignedInAt: v.session.Person.AuthenticatedAt}
	return change, said, v.readProof(&said)
}

func (c *Console) beginUserChange(v *visit) error {
	change, _, err := v.userChange()
	if err != nil {
		return err
	}
	statement, keys, err := c.o.Guard.BeginUserChange(v.r.Context(), v.by, change)
	if err != nil {
		return err
	}
	return v.challenge(statement, keys)
}

// changeUser changes a user. The link of an invitation is shown once, to who made it.
func (c *Console) changeUser(v *visit) error {
	change, said, err := v.userChange()
	if err != nil {
		return err
	}
	if said.Statement == nil && v.proves(false) == bySignInAgain {
		return v.askToSignIn(accessPath, "")
	}
	handle, err := c.o.Guard.ChangeUser(context.WithoutCancel(v.r.Context()), v.by, change, said)
	switch {
	case err != nil:
		return err
	case handle == "":
		return v.back(accessPath)
	}
	link, text := c.o.People.InvitationLink(handle), "Send this link to "+change.Name+" over a channel that only they read. It works once, for 15 minutes, and is not shown again:"
	if v.byScript() {
		return v.answerJSON(http.StatusOK, map[string]string{"shown": text + " " + link})
	}
	return v.show("Invited", page.P(text), page.Line(page.El("code", page.Text(link))), page.Line(page.Link(accessPath, "Back")))
}
