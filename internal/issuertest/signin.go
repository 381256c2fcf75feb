package issuertest

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// SignIn is what an issuer does where people sign in. Set it before anybody does.
type SignIn struct {
	ClientID, RedirectURI string
	// Secret is that of the application, unless Proves checks another proof for the
	// token endpoint.
	Secret string
	Proves func(r *http.Request, tokenURL string) bool
	// AuthMethods and SendsIss are published as they are.
	AuthMethods []string
	SendsIss    bool
	Now         func() time.Time

	mu sync.Mutex
	// claims are those of the next person to sign in; change is applied to each ID token.
	claims, change Claims
	disabled       bool
	asked          map[string]url.Values // by code or refresh token
	last           url.Values
}

// As has somebody signed in at the issuer, with claims beside the usual ones, of which
// change alters some.
func (s *SignIn) As(claims, change Claims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims, s.change = claims, change
}

// Disable has the issuer refuse all codes and refresh tokens, or take them again.
func (s *SignIn) Disable(disabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disabled = disabled
}

// Asked returns the last request for a sign-in.
func (s *SignIn) Asked() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// SignsIn has the issuer sign people in.
func (i *Issuer) SignsIn(s *SignIn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s.asked = map[string]url.Values{}
	i.people = s
}

func (s *SignIn) addTo(metadata map[string]any, issuer string) {
	if s == nil {
		return
	}
	metadata["authorization_endpoint"], metadata["token_endpoint"] = issuer+"/authorize", issuer+"/token"
	metadata["end_session_endpoint"] = issuer + "/signout"
	metadata["token_endpoint_auth_methods_supported"] = s.AuthMethods
	metadata["authorization_response_iss_parameter_supported"] = s.SendsIss
}

func (s *SignIn) serve(i *Issuer, w http.ResponseWriter, r *http.Request) bool {
	at := "https://" + r.Host + r.URL.Path
	issuer, authorizes := strings.CutSuffix(at, "/authorize")
	if authorizes {
		s.authorize(w, r, issuer)
		return true
	}
	issuer, redeems := strings.CutSuffix(at, "/token")
	if redeems {
		s.token(i, w, r, issuer)
	}
	return redeems
}

// authorize answers as Entra ID does: a resource that does not fit the scopes, and
// names of scopes that it does not know, are refused.
func (s *SignIn) authorize(w http.ResponseWriter, r *http.Request, issuer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	s.last = q
	answer := url.Values{"state": {q.Get("state")}}
	if s.SendsIss {
		answer.Set("iss", issuer)
	}
	switch {
	case q.Get("client_id") != s.ClientID || q.Get("redirect_uri") != s.RedirectURI:
		http.Error(w, "AADSTS50011: unknown application or redirect", http.StatusBadRequest)
		return
	case q.Has("resource"):
		answer.Set("error", "invalid_target")
		answer.Set("error_description", "AADSTS9010010: the resource does not match the scopes")
	case q.Get("scope") != "openid profile offline_access":
		answer.Set("error", "invalid_scope")
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "":
		answer.Set("error", "invalid_request")
	default:
		code := rand.Text()
		s.asked[code] = q
		answer.Set("code", code)
	}
	http.Redirect(w, r, s.RedirectURI+"?"+answer.Encode(), http.StatusFound)
}

func (s *SignIn) token(i *Issuer, w http.ResponseWriter, r *http.Request, issuer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm() // a form that is none has no code either
	handle := r.PostForm.Get("code") + r.PostForm.Get("refresh_token")
	asked, ok := s.asked[handle]
	proof := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	proven := s.bySecret(r)
	if s.Proves != nil {
		proven = s.Proves(r, issuer+"/token")
	}
	redeems := r.PostForm.Get("grant_type") == "refresh_token" ||
		encode(proof[:]) == asked.Get("code_challenge") && r.PostForm.Get("redirect_uri") == s.RedirectURI
	switch {
	case !proven:
		w.WriteHeader(http.StatusUnauthorized)
		answer(w, map[string]any{"error": "invalid_client"})
	case !ok || !redeems || s.disabled || r.PostForm.Has("resource"):
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_grant"})
	case !r.PostForm.Has("code") && r.PostForm.Has("scope"): // it gave fewer than were asked
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_scope"})
	default:
		refresh := rand.Text()
		delete(s.asked, handle) // each is good once
		s.asked[refresh] = asked
		claims := With(Claims{"iss": issuer, "aud": s.ClientID, "iat": s.Now().Unix(), "exp": s.Now().Add(time.Hour).Unix()}, s.claims)
		if r.PostForm.Has("code") {
			claims["nonce"] = asked.Get("nonce")
		}
		answer(w, map[string]any{
			"token_type": "Bearer", "access_token": "opaque", "refresh_token": refresh,
			"id_token": i.Token(With(claims, s.change)),
		})
	}
}

// bySecret checks the secret where AuthMethods says that it is.
func (s *SignIn) bySecret(r *http.Request) bool {
	id, secret, _ := r.BasicAuth()
	if len(s.AuthMethods) > 0 && s.AuthMethods[0] == "client_secret_post" {
		id, secret = r.PostForm.Get("client_id"), url.QueryEscape(r.PostForm.Get("client_secret"))
	}
	return id == s.ClientID && secret == url.QueryEscape(s.Secret)
}
