package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
)

// device is one with a passkey of a user of this server.
type device struct {
	*browser
	user  string
	key   *ecdsa.PrivateKey
	count uint32
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// device adds a user with a passkey that is some days old, and signs them in with it.
func (r *rig) device(user string, also ...access.Caller) *device {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	point, _ := key.PublicKey.Bytes() // never fails on a curve of the library
	// {1: 2, 3: -7, -1: 1, -2: x, -3: y} in CBOR
	public := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32}, point[1:33]...)
	public = append(append(public, 0x22, 0x58, 32), point[33:]...)
	ago := time.Now().Add(-72 * time.Hour)
	row := guard.User{
		Name: user, AddedAt: ago, Also: also,
		Grant:    access.Grant{Scopes: []access.Scope{access.ScopeRead, access.ScopeApprove}, Tenants: []string{access.AllTenants}},
		Passkeys: []guard.Passkey{{ID: []byte(user), PublicKey: public, Origin: r.url, AddedAt: ago}},
	}
	err = r.app.GuardStore().ChangeStates(r.t.Context(), func(tx guard.StateTx) error { return tx.Put(guard.UserState, user, row) })
	if err != nil {
		r.t.Fatal(err)
	}
	d := &device{browser: r.browser(""), user: user, key: key}
	if done := d.sign("/signin/passkey/begin", "/signin/passkey/finish", "/signin", "next", "/console/"); done.StatusCode != http.StatusOK {
		r.t.Fatalf("%s is not signed in: %s", user, done.text)
	}
	return d
}

// sign presses a button of a page that wants a passkey, as its script does.
func (d *device) sign(begin, finish, from string, fields ...string) answer {
	d.t.Helper()
	form := url.Values{"form_token": {found(d.t, formToken, d.get(from).text)}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	asked := d.script(begin, form)
	var challenge struct {
		Flow string
		Get  struct{ Challenge string }
	}
	if asked.StatusCode != http.StatusOK || json.Unmarshal([]byte(asked.text), &challenge) != nil {
		return asked
	}
	form.Set("flow", challenge.Flow)
	form.Set("credential", d.assertion(challenge.Get.Challenge))
	return d.script(finish, form)
}

func (d *device) script(path string, form url.Values) answer {
	d.t.Helper()
	return d.do(http.MethodPost, path, form.Encode(), "Accept", "application/json")
}

// assertion is the passkey's answer to a challenge, as a browser gives it.
func (d *device) assertion(challenge string) string {
	d.count++
	client, _ := json.Marshal(map[string]any{"type": "webauthn.get", "challenge": challenge, "origin": d.url, "crossOrigin": false})
	host := sha256.Sum256([]byte("localhost"))
	data := binary.BigEndian.AppendUint32(append(host[:], 1|4), d.count)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]any{
		"id": b64([]byte(d.user)), "rawId": b64([]byte(d.user)), "type": "public-key", "clientExtensionResults": map[string]any{},
		"response": map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64([]byte(d.user))},
	})
	return string(text)
}

// decide presses a button of an approval's page.
func (d *device) decide(id, says, reason string) answer {
	d.t.Helper()
	path := "/console/approvals/" + id
	digest := found(d.t, shownDigest, d.get(path).text)
	return d.sign(path+"/challenge", path, path, "digest", digest, "answer", says, "reason", reason)
}

func TestUserOfThisServerSignsWhatTheyDecide(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, approvers())
	id := r.askToRegister("contoso")
	ada := r.device("ada")
	path := "/console/approvals/" + id
	ada.get(path).wantPage(t, http.StatusOK, `data-begin="`+path+`/challenge"`, "data-passkey", ">Approve<", ">Deny<")
	ada.post(path, path, "answer", "approve", "digest", found(t, shownDigest, ada.get(path).text)).wantPage(t, http.StatusForbidden, "with their passkey")
	ada.decide(id, "deny", "").wantPage(t, http.StatusBadRequest, `"error":"A denial needs a reason.`)
	if got := r.state(id); got != guard.StatePending {
		t.Fatalf("without a signature it is %s", got)
	}
	ada.decide(id, "deny", "<b>not ours").wantPage(t, http.StatusOK, `"next":"`+path+`"`)
	if got := r.ticket(id); got.Decision == nil || got.Decision.Proof == nil || got.Denial() != "<b>not ours" {
		t.Errorf("the decision: %+v", got.Decision)
	}
}

func TestRuleWantsPasskeysOfTwoPeople(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{Rules: []access.Rule{{
		Name: "two keys", Operations: []string{"write"}, Ruling: access.RulingApprover, Demand: access.Demand{Passkey: true, Approvers: 2},
	}}})
	id := r.askToRegister("contoso")
	path := "/console/approvals/" + id
	agents, ada, ben := r.device("zoe", "token:agent"), r.device("ada"), r.device("ben")
	agents.get(path).wantPage(t, http.StatusOK, "You asked for this")
	r.browser("bob").get(path).wantPage(t, http.StatusOK, "has to sign this, and you have none", "0 of 2")
	ada.decide(id, "approve", "fine").wantPage(t, http.StatusOK, `"next"`)
	ada.get(path).wantPage(t, http.StatusOK, "1 of 2", "You have approved already")
	if got := r.state(id); got != guard.StatePending {
		t.Errorf("after one it is %s", got)
	}
	ben.get("/console/approvals").wantPage(t, http.StatusOK, "waits 1 of 2")
	ben.decide(id, "approve", "").wantPage(t, http.StatusOK, `"next"`)
	ben.get(path).wantPage(t, http.StatusOK, "What happens next", "2 of 2")
	if got := r.state(id); got != guard.StateApproved {
		t.Errorf("after two it is %s", got)
	}
}

func TestPasskeyLiftsTheFreeze(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, approvers())
	ada := r.device("ada")
	ada.post("/console/freeze", "/console/freeze", "what", "writes", "reason", "odd").wantPage(t, http.StatusOK, "Stopped: writes.")
	digest := found(t, shownDigest, ada.get("/console/freeze").text)
	lift := func() answer {
		return ada.sign("/console/freeze/lift/challenge", "/console/freeze/lift", "/console/freeze", "answer", "approve", "digest", digest)
	}
	ada.post("/console/freeze/lift", "/console/freeze", "answer", "approve", "digest", digest).wantPage(t, http.StatusForbidden, "passkey")
	lift().wantPage(t, http.StatusOK, `"next":"/console/freeze"`)
	if now, err := r.guard.Frozen(t.Context()); err != nil || now.Scope() != "" {
		t.Errorf("%+v %v", now, err)
	}
}

// signSwapped signs one form, and sends another with what was signed.
func (d *device) signSwapped(path, from string, signed map[string][]string, swapped [2]string) answer {
	d.t.Helper()
	form := url.Values{"form_token": {found(d.t, formToken, d.get(from).text)}}
	for name, values := range signed {
		form[name] = values
	}
	var challenge struct {
		Flow string
		Get  struct{ Challenge string }
	}
	if asked := d.script(path+"/challenge", form); asked.StatusCode != http.StatusOK || json.Unmarshal([]byte(asked.text), &challenge) != nil {
		d.t.Fatalf("no challenge: %s", asked.text)
	}
	form.Set(swapped[0], swapped[1])
	form.Set("flow", challenge.Flow)
	form.Set("credential", d.assertion(challenge.Get.Challenge))
	return d.script(path, form)
}
