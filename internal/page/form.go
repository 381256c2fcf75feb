package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"
)

// formCookie ties the forms of somebody who is not signed in to their browser.
const formCookie = "__Host-form"

// maxForm bounds a form that a browser sends, in bytes.
const maxForm = 64 << 10

// FormToken returns the form token of a browser in which nobody is signed in, and
// gives it the cookie that the token follows from.
func FormToken(w http.ResponseWriter, r *http.Request) string {
	handle, ok := Cookie(r, formCookie)
	if !ok {
		handle = NewHandle()
		SetCookie(w, formCookie, handle, 0)
	}
	return TokenOf(handle)
}

// TokenOf is the form token that follows from a handle in a cookie.
func TokenOf(handle string) string {
	sum := sha256.Sum256([]byte("mcp-partner form\x00" + handle))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckForm parses a form, and reports whether it comes from a page that this browser
// got: by token, or by that of FormToken if it is "".
func CheckForm(w http.ResponseWriter, r *http.Request, token string) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		return false
	}
	if handle, ok := Cookie(r, formCookie); ok && token == "" {
		token = TokenOf(handle)
	}
	sent := r.PostForm["form_token"]
	return token != "" && len(sent) == 1 && subtle.ConstantTimeCompare([]byte(sent[0]), []byte(token)) == 1
}

// handleLength is that of a handle: twice 130 bits in base32.
const handleLength = 52

// NewHandle returns a name that nobody guesses.
func NewHandle() string { return rand.Text() + rand.Text() }

// SetCookie gives a browser a handle under a name that begins with __Host-, which no
// other host can set. It ends after its life, or with 0 with the browser.
func SetCookie(w http.ResponseWriter, name, handle string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: handle, MaxAge: int(life.Seconds()), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// ClearCookie takes a handle from a browser.
func ClearCookie(w http.ResponseWriter, name string) { SetCookie(w, name, "", -time.Second) }

// Cookie returns the handle that a browser shows; ok is false for none, for several,
// and for what has not the length of one.
func Cookie(r *http.Request, name string) (handle string, ok bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return "", false
	}
	return found[0].Value, len(found[0].Value) == handleLength
}
