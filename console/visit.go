package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/internal/page"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// errNotHere answers for what is not there, and for what the person may not see: it
// makes no difference.
var errNotHere = errors.New("there is no such page")

// visit is one request of a person who is signed in.
type visit struct {
	c       *Console
	w       http.ResponseWriter
	r       *http.Request
	session users.Session
	// by is the person, with what they may do now.
	by access.Principal
}

// answer wraps a page: it finds who is there, what they may do, and checks forms.
func (c *Console) answer(at route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, ok := c.o.People.Session(r)
		switch {
		case !ok && r.Method == http.MethodGet:
			c.o.People.Begin(w, r, r.URL.RequestURI())
			return
		case !ok:
			c.o.People.Begin(w, r, Path) // what the form said is gone with the session
			return
		case r.Method == http.MethodPost && !page.CheckForm(w, r, session.FormToken()):
			foreignForm(w)
			return
		}
		v := &visit{c: c, w: w, r: r, session: session}
		err := v.identify()
		if err == nil && !v.may(at.needs...) {
			err = errNotHere
		}
		if err == nil {
			err = at.serve(v)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

// identify finds what the person may do. It is asked again before a write begins.
func (v *visit) identify() (err error) {
	ctx, person := context.WithoutCancel(v.r.Context()), v.session.Person
	now := func() (access.Grant, error) { return v.c.o.People.Grant(ctx, person, access.Scopes()) }
	v.by = access.Principal{Caller: person.Caller, Revalidate: now}
	if v.by.Grant, err = now(); err == nil {
		v.by = v.c.o.Guard.Confine(v.by)
	}
	return err
}

// may reports whether the person has one of some scopes; of none everybody has one.
func (v *visit) may(scopes ...access.Scope) bool {
	return len(scopes) == 0 || slices.ContainsFunc(scopes, v.by.Grant.Has)
}

// call calls a tool as the person. Without a confirmer nobody is asked.
func (v *visit) call(tool string, arguments any, confirmer tools.Confirmer) (tools.Result, error) {
	raw, err := json.Marshal(arguments)
	if err != nil {
		return tools.Result{}, err
	}
	if confirmer == nil {
		confirmer = tools.NoConfirmer{}
	}
	return v.c.o.Service.Call(v.r.Context(), tools.Call{Tool: tool, Arguments: raw, Principal: v.by, Confirmer: confirmer}), nil
}

// read calls a tool that reads, and returns its answer or why there is none.
func (v *visit) read(tool string, arguments any) (answers.Envelope, error) {
	result, err := v.call(tool, arguments, nil)
	if err == nil && result.Envelope.Status.IsError() && result.Envelope.Problem != nil {
		err = result.Envelope.Problem
	}
	return result.Envelope, err
}

// show answers with a page in the console's frame.
func (v *visit) show(title string, body ...page.Node) error {
	page.Page{Title: title, Body: body, Frame: v.frame()}.Write(v.w)
	return nil
}

// place is one entry of the navigation.
type place struct {
	path, name string
	needs      []access.Scope
}

func places() []place {
	return []place{
		{"/console/", "Overview", []access.Scope{access.ScopeRead}},
		{"/console/customers", "Customers", []access.Scope{access.ScopeRead}},
		{approvalsPath, "Approvals", mayStop()},
		{"/console/audits", "Audits", []access.Scope{access.ScopeRead}},
		{"/console/runs", "Runs", []access.Scope{access.ScopeRead}},
		{"/console/record", "Record", []access.Scope{access.ScopeRead}},
		{accessPath, "Access", []access.Scope{access.ScopeApprove}},
	}
}

// frame is what all pages have around them: the places that the person may go to, who
// they are, and the freeze, which is always in reach.
func (v *visit) frame() *page.Frame {
	frame := &page.Frame{Home: Path, Who: v.session.Person.Name}
	for _, p := range places() {
		if v.may(p.needs...) && (p.path != accessPath || v.by.Grant.Everywhere()) {
			at := page.Place{Path: p.path, Name: p.name, Here: p.path == v.r.URL.Path || p.path != Path && strings.HasPrefix(v.r.URL.Path, p.path+"/")}
			if p.path == approvalsPath {
				at.Count = v.waiting(v.r.Context())
			}
			frame.Places = append(frame.Places, at)
		}
	}
	if v.may(mayStop()...) {
		frame.Stop = freezePath
	}
	if now, err := v.c.o.Guard.Frozen(v.r.Context()); err == nil && now.Scope() != "" && v.may(access.Scopes()...) {
		frame.Alarm = page.Line(page.Text("Frozen: "+now.Scope()+" stopped by "), page.Untrusted(now.By), page.Text(". "), page.Link("/console/freeze", "See why"))
	}
	return frame
}

// back sends the browser on after a form was carried out, so that a reload repeats
// nothing.
func (v *visit) back(path string) error {
	if v.byScript() {
		return v.answerJSON(http.StatusOK, map[string]string{"next": path})
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// byScript reports whether a script of a page asks.
func (v *visit) byScript() bool { return v.r.Header.Get("Accept") == "application/json" }

func (v *visit) answerJSON(status int, body any) error {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_ = json.NewEncoder(v.w).Encode(body) // a browser that went away needs no answer
	return nil
}

// statusOf is the HTTP status of a problem on a page.
func statusOf(code problems.Code) int {
	switch code {
	case problems.CodeApprovalUnknown, problems.CodeUnknownTenant, problems.CodeUnknownRun, problems.CodeInsufficientScope:
		return http.StatusNotFound
	case problems.CodeInvalidArgument:
		return http.StatusBadRequest
	case problems.CodeNotAllowed:
		return http.StatusForbidden
	case problems.CodeApprovalExpired, problems.CodeApprovalMismatch, problems.CodeStateMoved:
		return http.StatusConflict
	default:
		return http.StatusServiceUnavailable
	}
}

// fail answers with why a page cannot be shown, and the next step.
func (v *visit) fail(err error) {
	problem := problems.As(err)
	status := statusOf(problem.Code)
	if errors.Is(err, errNotHere) {
		status = http.StatusNotFound
	}
	if v.byScript() {
		_ = v.answerJSON(status, map[string]string{"error": strings.TrimSpace(problem.Message + " " + problem.Hint)})
		return
	}
	shown := page.Page{Title: "That did not work", Frame: v.frame()}
	switch {
	case status == http.StatusNotFound:
		shown.Title = "Not here"
		shown.Body = []page.Node{page.P("There is no such page, or it is not for you. Ask the operator of this server if you expected one.")}
	case problem.Code == problems.CodeTokenRefused:
		status, shown.Title = http.StatusForbidden, "Nothing here is for you"
		shown.Body = []page.Node{
			page.Line(page.Text("You are signed in as "), page.Strong(v.session.Person.Name), page.Text(", known here as "), page.Untrusted(string(v.by.Caller)), page.Text(".")),
			page.P("The operator of this server has given this person nothing. Ask them to add you, or sign in as somebody else."),
			page.Line(page.Link("/signout", "Sign out")),
		}
	default:
		shown.Body = []page.Node{page.Problem(problem.Message, problem.Hint, problem.Command)}
		v.c.o.Logger.WarnContext(v.r.Context(), "a page was not answered", "reason", err.Error())
	}
	shown.Status = status
	shown.Write(v.w)
}

// by names a caller for a reader. It is untrusted: a caller may have chosen its name.
func by(caller string) page.Node {
	kind, name, _ := strings.Cut(caller, ":")
	switch kind {
	case "token":
		return page.Group{page.Untrusted(name), page.Text(" (an agent's token)")}
	case "user":
		return page.Untrusted(name)
	case "account":
		return page.Group{page.Untrusted(name), page.Text(" (on the server)")}
	default:
		return page.Untrusted(caller)
	}
}
