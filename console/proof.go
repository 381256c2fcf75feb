package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// How a person can prove a decision.
type proof int

const (
	byNothing proof = iota
	byPasskey
	bySignIn
	bySignInAgain
)

// freshFor is how long the guard takes a sign-in at the issuer as a proof.
const freshFor = 5 * time.Minute

// proves says how the person can prove what they decide now, where passkey says that
// nothing else counts.
func (v *visit) proves(passkey bool) proof {
	person := v.session.Person
	local := person.Caller == guard.UserCaller(person.Name)
	if age := v.c.o.Now().Sub(person.AuthenticatedAt); !local && !passkey && age <= freshFor {
		return bySignIn
	}
	if keys, err := v.c.o.Guard.SigningKeys(v.r.Context(), person.Caller); err == nil && len(keys) > 0 {
		return byPasskey
	}
	if local || passkey {
		return byNothing
	}
	return bySignInAgain
}

// signedAnswer is a button of a form that is signed.
type signedAnswer struct{ value, label string }

// signedForm is a form whose answer is proved. All its buttons are of one size.
func (v *visit) signedForm(action string, passkey bool, fields []page.Node, buttons ...signedAnswer) page.Node {
	var signing []page.Node
	switch v.proves(passkey) {
	case bySignIn:
		signing = page.Group{page.Each(buttons, func(b signedAnswer) page.Node { return page.Button("answer", b.value, b.label, false) })}
	case byPasskey:
		signing = page.Group{
			page.Attr("data-begin", action+"/challenge"),
			page.Each(buttons, func(b signedAnswer) page.Node { return page.PasskeyButton("answer", b.value, b.label, false) }),
			page.Status("Your passkey signs the decision, and passkeys need JavaScript. Switch it on for this site."),
		}
	case bySignInAgain:
		return signInAgain(v.r.URL.Path) // a form is on a page of another address
	default:
		return page.P("Your passkey has to sign this, and you have none here. Ask the operator of this server for an invitation to make one.")
	}
	return page.Form(action, v.session.FormToken(), append(fields, signing...)...)
}

// signInAgain leads to the issuer and back to a page.
func signInAgain(next string) page.Node {
	return page.Group{
		page.P("To decide, sign in again: a decision needs a sign-in within the last 5 minutes, so that a page left open decides nothing."),
		page.Line(page.Link("/signin?fresh=1&next="+url.QueryEscape(next), "Sign in again to decide")),
	}
}

// askToSignIn answers a form that came too late. The reason is shown to be copied: an
// address or a cookie is no place for it.
func (v *visit) askToSignIn(next, reason string) error {
	body := []page.Node{page.P("Nothing was decided."), signInAgain(next)}
	if reason = untrusted.Sanitize(reason); reason != "" {
		body = append(body, page.Line(page.Text("Your reason is not kept. Copy it: "), page.Strong(reason)))
	}
	page.Page{Status: http.StatusForbidden, Title: "Sign in again", Body: body, Frame: v.frame()}.Write(v.w)
	return nil
}

// showSigned is show for a page with a form that a passkey may sign.
func (v *visit) showSigned(title string, body ...page.Node) error {
	page.Page{Title: title, Body: body, Frame: v.frame(), Script: "passkey.js"}.Write(v.w)
	return nil
}

// challenge answers a script with what a passkey is to sign. The statement goes along and
// comes back: the guard kept its hash.
func (v *visit) challenge(s guard.Statement, keys [][]byte) error {
	type key struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	var allowed []key
	for _, id := range keys {
		allowed = append(allowed, key{"public-key", base64.RawURLEncoding.EncodeToString(id)})
	}
	statement, err := json.Marshal(s)
	if err != nil {
		return err
	}
	hash := s.Challenge()
	return v.answerJSON(http.StatusOK, map[string]any{"flow": base64.RawURLEncoding.EncodeToString(statement), "get": map[string]any{
		"challenge": base64.RawURLEncoding.EncodeToString(hash[:]), "allowCredentials": allowed, "userVerification": "required",
		"timeout": time.Until(s.Expires).Milliseconds(),
	}})
}

// readProof reads what challenge gave and the passkey's answer to it, as a script sends
// both; without them there is nothing to read.
func (v *visit) readProof(said *guard.DecisionRequest) error {
	flow, credential := v.r.PostForm.Get("flow"), v.r.PostForm.Get("credential")
	if flow == "" && credential == "" {
		return nil
	}
	var answer struct {
		RawID    string `json:"rawId"`
		Response struct{ ClientDataJSON, AuthenticatorData, Signature string }
	}
	statement, err := base64.RawURLEncoding.DecodeString(flow)
	unread := func(text string) (raw []byte) {
		if err == nil {
			raw, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		}
		return raw
	}
	if err == nil {
		err = json.Unmarshal(statement, &said.Statement)
	}
	if err == nil {
		err = json.Unmarshal([]byte(credential), &answer)
	}
	said.Assertion = &guard.Assertion{
		Key: unread(answer.RawID), ClientData: unread(answer.Response.ClientDataJSON),
		AuthenticatorData: unread(answer.Response.AuthenticatorData), Signature: unread(answer.Response.Signature),
	}
	if err != nil || said.Statement == nil {
		return problems.New(problems.CodeInvalidArgument, "The answer of the passkey cannot be read.", problems.WithHint("Reload the page and decide again."))
	}
	return nil
}
