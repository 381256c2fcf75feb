package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/issuertest"
	"mcp-partner/vault"
)

const signInAt = "https://partner.example.com"

// signsInHere is a state directory whose config.yaml has people sign in at an issuer.
func signsInHere(t *testing.T, issuer *issuertest.Issuer, secret string) string {
	t.Helper()
	dir := stateWithVault(t)
	a := appIn(t, dir)
	kept, err := vault.NewSecret([]byte(secret))
	if err == nil {
		err = a.Store.Put(t.Context(), "signin", kept)
	}
	if err == nil {
		text := "public-url: " + signInAt + "\noidc-issuer: [" + issuer.URL() + "]\noidc-ca-file: " + issuer.CAFile() + "\noauth: {client_id: 66666666-aaaa-bbbb-cccc-dddddddddddd, credential: signin}\n"
		err = os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The issuer is shown the credential with a code that it never gave: one that refuses the
// code has taken the credential.
func TestDoctorAsksTheIssuerWherePeopleSignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		secret   string
		answer   http.HandlerFunc // in place of the issuer's
		says     []string
		saysNone string
	}{
		"taken":   {secret: "right", says: []string{"People sign in at https://"}, saysNone: "refuses the credential"},
		"refused": {secret: "wrong", says: []string{"refuses the credential of this server (invalid_client)", "vault add signin-2"}},
		"away": {secret: "right", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			says: []string{"/.well-known/openid-configuration"}, saysNone: "People sign in at https://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := issuertest.Start(t)
			issuer.SignsIn(&issuertest.SignIn{ClientID: "66666666-aaaa-bbbb-cccc-dddddddddddd", RedirectURI: signInAt + "/signin/callback", Secret: "right", Now: time.Now})
			if test.answer != nil {
				issuer.AnswerWith(test.answer)
			}
			_, out, stderr := runHere(t, "doctor", "--state-dir", signsInHere(t, issuer, test.secret))
			for _, want := range append(test.says, "passkeys are bound to partner.example.com") {
				if !strings.Contains(out, want) {
					t.Errorf("doctor does not say %q: %s%s", want, out, stderr)
				}
			}
			if test.saysNone != "" && strings.Contains(out, test.saysNone) {
				t.Errorf("doctor says %q: %s", test.saysNone, out)
			}
			if strings.Contains(out+stderr, test.secret+"\"") {
				t.Error("the secret is shown")
			}
		})
	}
}

func TestDoctorNamesPasskeysOfAnotherAddress(t *testing.T) {
	t.Parallel()
	issuer := issuertest.Start(t)
	issuer.SignsIn(&issuertest.SignIn{ClientID: "66666666-aaaa-bbbb-cccc-dddddddddddd", RedirectURI: signInAt + "/signin/callback", Secret: "right", Now: time.Now})
	dir := signsInHere(t, issuer, "right")
	a := appIn(t, dir)
	err := a.GuardStore().ChangeStates(t.Context(), func(tx guard.StateTx) error {
		for name, origin := range map[string]string{"dora": "https://old.example.com", "erik": signInAt} {
			if err := tx.Put(guard.UserState, name, guard.User{Name: name, AddedAt: time.Now(), Passkeys: []guard.Passkey{{ID: []byte(name), Origin: origin}}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := runHere(t, "doctor", "--state-dir", dir)
	if text := strings.Join(strings.Fields(out), " "); !strings.Contains(text, "The passkeys of dora were made under another public-url") || !strings.Contains(text, "users reset dora") || strings.Contains(text, "erik") {
		t.Errorf("doctor: %s", out)
	}
}
