package console

import (
	"context"
	"encoding/hex"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
)

const freezePath, liftPath = "/console/freeze", "/console/freeze/lift"

// mayStop are scopes of which one allows to stop writes, and to put off what needs
// somebody: nobody is alerted of it meanwhile.
func mayStop() []access.Scope {
	return []access.Scope{access.ScopeWrite, access.ScopeChange, access.ScopeApprove}
}

func (c *Console) showFreeze(v *visit) error {
	now, err := c.o.Guard.Frozen(v.r.Context())
	if err != nil {
		return err
	}
	var body []page.Node
	if now.Scope() == "" {
		body = append(body, page.El("p", page.Class("lead"), page.Text("Nothing is stopped.")))
	} else {
		body = append(body, page.El("p", page.Class("lead"), page.Text("Stopped: "+now.Scope()+".")), page.Facts(
			page.Text("Stopped by"), page.Untrusted(now.By), page.Text("Since"), page.Time(now.Since), page.Text("Why"), page.Untrusted(now.Reason)))
	}
	if v.may(mayStop()...) && !now.Reads {
		body = append(body, page.Section("stop", "Stop", v.stopForm(now)...))
	}
	if now.Scope() != "" {
		body = append(body, page.Section("lift", "Let it run again", v.liftForm(now)))
	}
	return v.showSigned("Freeze", body...)
}

func (v *visit) stopForm(now guard.Freeze) []page.Node {
	return []page.Node{
		page.P("Stops all agents and people at once, in every process of this server. What has begun in a tenant is completed."),
		page.Form(freezePath, v.session.FormToken(), page.Area("reason", "Reason (needed; agents and the record get it)", page.Attr("required")),
			page.If(!now.Writes, page.Button("what", "writes", "Stop writes", false)),
			page.Button("what", "everything", "Stop writes and reads", false)),
	}
}

func (v *visit) liftForm(now guard.Freeze) page.Node {
	if !v.may(access.ScopeApprove) {
		return page.P("Somebody who may approve can lift it.")
	}
	digest := now.Digest()
	return v.signedForm(liftPath, false, []page.Node{page.Hidden("digest", hex.EncodeToString(digest[:]))}, signedAnswer{"approve", "Lift the freeze"})
}

func (c *Console) stop(v *visit) error {
	form := v.r.PostForm
	err := c.o.Guard.Stop(context.WithoutCancel(v.r.Context()), v.by, form.Get("reason"), form.Get("what") == "everything")
	if err != nil {
		return err
	}
	return v.back(freezePath)
}

func (c *Console) beginLift(v *visit) error {
	statement, keys, err := c.o.Guard.BeginLift(v.r.Context(), v.by)
	if err != nil {
		return err
	}
	return v.challenge(statement, keys)
}

func (c *Console) lift(v *visit) error {
	said, err := v.said()
	if err != nil {
		return err
	}
	if said.Statement == nil && v.proves(false) == bySignInAgain {
		return v.askToSignIn(freezePath, "")
	}
	if err := c.o.Guard.Lift(context.WithoutCancel(v.r.Context()), v.by, said); err != nil {
		return err
	}
	return v.back(freezePath)
}
