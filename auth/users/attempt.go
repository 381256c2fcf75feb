package users

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/schemas/problems"
)

const (
	// flowCookie ties what waits for an answer to the browser that asked.
	flowCookie = "__Host-signin"
	// issuerFor and passkeyFor are how long an answer is waited for.
	issuerFor  = 10 * time.Minute
	passkeyFor = 5 * time.Minute
	// refusalTakes is how long each refusal takes, whatever it was that was wrong.
	refusalTakes = 100 * time.Millisecond
)

// flow is what waits for an answer, under the hash of a handle that goes with it.
type flow struct {
	Purpose string      `json:"purpose"`
	Browser string      `json:"browser"`
	Expires guard.Stamp `json:"expires"`
	Began   time.Time   `json:"began"`
	Next    string      `json:"next,omitempty"`
	// Sent went to the issuer.
	Sent auth.SignInRequest `json:"sent,omitzero"`
	// Ceremony is a passkey's challenge, Invitation the row that a new one uses up.
	Ceremony   webauthn.SessionData `json:"ceremony,omitzero"`
	Invitation string               `json:"invitation,omitempty"`
}

// keep keeps a flow for the browser, and returns its handle.
func (s *SignIn) keep(w http.ResponseWriter, r *http.Request, f flow, handle string, life time.Duration) error {
	browser, ok := page.Cookie(r, flowCookie)
	if !ok {
		browser = page.NewHandle()
	}
	f.Browser, f.Began = rowName("browser", browser), s.o.Now()
	f.Expires.Time = f.Began.Add(life)
	err := s.o.Store.ChangeStates(r.Context(), func(tx guard.StateTx) error {
		return tx.Put(guard.OnceState, rowName(f.Purpose, handle), f)
	})
	if err == nil {
		page.SetCookie(w, flowCookie, browser, issuerFor)
	}
	return err
}

// take returns a flow once, to the browser that began it.
func (s *SignIn) take(r *http.Request, purpose, handle string) (f flow, err error) {
	browser, ok := page.Cookie(r, flowCookie)
	if !ok || handle == "" {
		return flow{}, refusal("nothing was begun in this browser")
	}
	err = s.o.Store.ChangeStates(r.Context(), func(tx guard.StateTx) error {
		ok, err := tx.State(guard.OnceState, rowName(purpose, handle), &f)
		switch {
		case err != nil:
			return err
		case !ok || f.Purpose != purpose || f.Browser != rowName("browser", browser) || !s.o.Now().Before(f.Expires.Time):
			return refusal("what was begun is over, or belongs to another browser")
		}
		return tx.Remove(guard.OnceState, rowName(purpose, handle))
	})
	return f, err
}

// refusal is why somebody is not signed in. It goes to the record, and not to them.
func refusal(why string) error { return problems.New(problems.CodeNotAllowed, why) }

// attempt wraps a step of signing in: it counts, checks forms, and answers each refusal
// with the same words after the same time.
func (s *SignIn) attempt(step func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if r.Method == http.MethodPost && !page.CheckForm(w, r, "") {
			foreignForm(w)
			return
		}
		err := refusal("too many attempts")
		if s.addresses.Allow(AddressOf(r)) {
			err = step(w, r)
		}
		if err == nil {
			return
		}
		why, ok := refused(err)
		if ok {
			s.writeRefusal(r, why)
			wait(r.Context(), time.Until(began.Add(refusalTakes)))
			text := "You were not signed in. Start again; if it happens once more, ask the operator of this server."
			if r.URL.Path == "/invite" {
				text = "No passkey was made. A link works once, for 15 minutes: ask the operator of this server for a new one."
			}
			answerError(w, r, http.StatusForbidden, text)
		} else {
			s.o.Logger.WarnContext(r.Context(), "somebody could not sign in", "reason", err.Error())
			answerError(w, r, http.StatusServiceUnavailable, "Signing in does not work at the moment. Try again in a minute.")
		}
	}
}

// refused returns why an attempt is refused, apart from what is wrong here or at the
// issuer.
func refused(err error) (why string, ok bool) {
	if byIssuer := new(auth.Refusal); errors.As(err, &byIssuer) {
		return byIssuer.Error(), true
	}
	p := problems.As(err)
	return p.Message, p.Code == problems.CodeNotAllowed || p.Code == problems.CodeTokenRefused
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// writeRefusal records a refusal, at most one a minute and address.
func (s *SignIn) writeRefusal(r *http.Request, why string) {
	address := AddressOf(r)
	detail, write := s.refusals.Note(address, "refused from "+address+": "+why)
	if !write {
		return
	}
	ctx := context.WithoutCancel(r.Context()) // who leaves before the answer is recorded as well
	if _, err := s.o.Store.Append(ctx, s.event(guard.KindSignIn, "", detail)); err != nil {
		s.o.Logger.WarnContext(r.Context(), "a refusal could not be recorded", "reason", err.Error())
	}
}

// answerError answers a page, or a script of one.
func answerError(w http.ResponseWriter, r *http.Request, status int, text string) {
	if r.Header.Get("Accept") == "application/json" {
		answerJSON(w, status, map[string]string{"error": text})
		return
	}
	page.Page{Status: status, Title: "Not signed in", Body: []page.Node{page.P(text), page.Line(page.Link("/signin", "Sign in"))}}.Write(w)
}
