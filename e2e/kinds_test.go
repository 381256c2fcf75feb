package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

const (
	keyPassphrase = `Pass~phrase of the "key" & more`
	personName    = "alice@northwind.example"
	podSubject    = "system:serviceaccount:partner:mcp"
)

// proofs notes what proves who asks, on its way to Entra ID, and what Entra ID
// gives that would prove it again.
type proofs struct {
	next http.Handler
	mu   sync.Mutex
	seen []string
}

// ServeHTTP implements http.Handler.
func (p *proofs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/oauth2/") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		p.note(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := &copied{ResponseWriter: w}
		p.next.ServeHTTP(answer, r)
		p.noteAnswer(answer.body.Bytes())
		return
	}
	p.next.ServeHTTP(w, r)
}

func (p *proofs) note(body []byte) {
	form, _ := url.ParseQuery(string(body))
	for _, field := range []string{"client_assertion", "refresh_token", "device_code", "code", "code_verifier"} {
		p.keep(form.Get(field))
	}
}

func (p *proofs) noteAnswer(body []byte) {
	var answer struct {
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
		Device  string `json:"device_code"`
	}
	if json.Unmarshal(body, &answer) == nil {
		p.keep(answer.Refresh)
		p.keep(answer.ID)
		p.keep(answer.Device)
	}
}

func (p *proofs) keep(secret string) {
	if secret == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, secret)
}

// kindsWorld is a world with a tenant for each kind of credential.
type kindsWorld struct {
	*canary
	proofs *proofs
	// secrets are those that this test made.
	secrets []string
}

func newKindsWorld(t *testing.T) *kindsWorld {
	t.Helper()
	k := &kindsWorld{canary: &canary{world: newWorld(t, simulator.Config{Tenants: 8, LinkedPercent: -1})}}
	k.proofs = &proofs{next: k.tap.next}
	k.tap.next = k.proofs
	k.hear(k.cli("vault", "init"))
	k.certificates(t)
	k.federation(t)
	k.machine(t)
	k.person(t)
	return k
}

// with adds a tenant with a credential of some kind.
func (k *kindsWorld) with(name string, flags ...string) {
	k.tb.Helper()
	i := k.cli(append([]string{"tenants", "add", name, "--tenant-id", k.tenant(name).TenantID,
		"--cloud", "custom", "--arm-endpoint", k.url, "--arm-audience", k.sim.Audience(), "--authority", k.url + "/",
		"--ca-file", k.caFile, "--skip-instance-discovery"}, flags...)...)
	i.args = append(i.args, "--log-level", "debug")
	said := i.must(k.tb)
	k.said = append(k.said, said.both())
}

// certificates gives contoso one that is registered and fabrikam one that is
// not, whose key is encrypted.
func (k *kindsWorld) certificates(t *testing.T) {
	t.Helper()
	for name, passphrase := range map[string]string{"contoso": "", "fabrikam": keyPassphrase, "wingtip": ""} {
		file := filepath.Join(k.dir, name+".pem")
		certificate := k.newCertificate(t, file, passphrase)
		flags := []string{"--client-id", k.sim.ClientID(), "--certificate-file", file}
		if passphrase == "" {
			k.sim.RegisterCertificate(certificate)
		} else {
			k.write(file+".pass", passphrase)
			flags = append(flags, "--certificate-passphrase-file", file+".pass")
		}
		k.with(name, flags...)
	}
	k.secrets = append(k.secrets, keyPassphrase)
}

func (k *kindsWorld) newCertificate(t *testing.T, file, passphrase string) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})), "\n")
	k.secrets = append(k.secrets, lines[4], lines[12], key.D.String()[:40])
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: plain}
	if passphrase != "" {
		block.Type = "ENCRYPTED PRIVATE KEY"
		if block.Bytes, err = pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil); err != nil {
			t.Fatal(err)
		}
	}
	k.write(file, string(pem.EncodeToMemory(block))+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (k *kindsWorld) federation(t *testing.T) {
	t.Helper()
	issuer, err := k.sim.NewIssuer("https://cluster.example/oidc")
	if err != nil {
		t.Fatal(err)
	}
	k.sim.Federate(simulator.Federation{Issuer: issuer, Subject: podSubject})
	for name, subject := range map[string]string{"adventure-works": podSubject, "tailspin": "system:serviceaccount:other:other"} {
		token, err := issuer.Token(subject, simulator.TokenExchangeAudience, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		k.write(filepath.Join(k.dir, name+".jwt"), token)
		k.secrets = append(k.secrets, token)
		k.with(name, "--client-id", k.sim.ClientID(), "--token-file", filepath.Join(k.dir, name+".jwt"))
	}
}

func (k *kindsWorld) machine(t *testing.T) {
	t.Helper()
	if err := k.sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: "litware", ClientID: "0c1b2a39-2222-4222-8333-000000000001", ObjectID: "0c1b2a39-2222-4222-8333-000000000002"}); err != nil {
		t.Fatal(err)
	}
	k.secrets = append(k.secrets, k.sim.IdentityHeader())
	k.with("litware", "--kind", "managed-identity")
}

func (k *kindsWorld) person(t *testing.T) {
	t.Helper()
	if _, err := k.sim.AddUser(personName, "northwind"); err != nil {
		t.Fatal(err)
	}
	k.sim.ApproveDevices(personName)
	k.with("northwind", "--credential", "alice", "--kind", "device-code")
	k.hear(k.cli("vault", "login", "alice"))
}

// onMachine gives a command what App Service gives its programs.
func (k *kindsWorld) onMachine(i invocation, endpoint string) invocation {
	i.env = append(i.env, "IDENTITY_ENDPOINT="+endpoint+"/msi/token", "IDENTITY_HEADER="+k.sim.IdentityHeader())
	return i
}

// No answer, log line, error or file holds a proof of any kind.
func TestSecretsOfEveryKindAppearInNoOutput(t *testing.T) {
	t.Parallel()
	k := newKindsWorld(t)
	machine := httptest.NewServer(k.sim.MetadataHandler())
	t.Cleanup(machine.Close)
	k.tap.answer(k.tenant("wingtip").TenantID, func(w http.ResponseWriter, r *http.Request) {
		assertion := r.FormValue("client_assertion")
		k.proofs.keep(assertion)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_request","error_description":"AADSTS900144: not understood: %s","error_codes":[900144]}`, assertion)
	})
	want := map[string]string{"contoso": "", "adventure-works": "", "northwind": "", "litware": "",
		"fabrikam": "credential_rejected", "tailspin": "credential_rejected", "wingtip": "sign_in_unavailable"}
	for name, code := range want {
		i := k.onMachine(k.cli("call", "check_partner_link", "--tenant", name, "--json", "--log-level", "debug"), machine.URL)
		said := i.run(t)
		k.said = append(k.said, said.both())
		if got := codeIn(said.stdout); got != code {
			t.Errorf("%s: problem %q, want %q: %s", name, got, code, said.stdout)
		}
	}
	k.sim.EndSignIns(personName)
	for _, args := range [][]string{
		{"doctor"}, {"doctor", "--json"}, {"tenants", "list"}, {"tenants", "list", "--json"}, {"tenants", "export"},
		{"vault", "status", "--json"}, {"vault", "list", "--json"}, {"vault", "show", "contoso"}, {"vault", "show", "alice"}, {"vault", "test", "contoso"},
		{"call", "list_tenants", "--json"}, {"call", "check_partner_link", "--tenant", "northwind", "--json"}, {"vault", "remove", "alice"},
		{"tenants", "set", "contoso", "--certificate-file", filepath.Join(k.dir, "fabrikam.pem")},
	} {
		k.hear(k.onMachine(k.cli(args...), machine.URL))
		k.hear(k.onMachine(k.cli(append(args, "--log-format", "json")...), machine.URL))
	}
	k.serve(t, machine.URL)
	secrets := append(append(k.tap.all(), k.secrets...), k.proofs.seen...)
	if len(secrets) < 25 {
		t.Fatalf("only %d secrets went through this test", len(secrets))
	}
	k.search(secrets)
}

func (k *kindsWorld) serve(t *testing.T, machine string) {
	t.Helper()
	s := k.onMachine(k.cli("serve", "--log-level", "debug", "--log-format", "json"), machine).start(t)
	s.greet(wiretest.Modern)
	for i, name := range []string{"contoso", "fabrikam", "adventure-works", "tailspin", "wingtip", "northwind", "litware"} {
		s.send(wiretest.Modern.Call(i, schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": name}))
	}
	for _, reply := range s.rest() {
		k.said = append(k.said, string(reply.Raw))
	}
	k.said = append(k.said, s.errs.String())
}

// codeIn is the code of the problem in an envelope, or empty.
func codeIn(envelope string) string {
	var e struct {
		Problem struct {
			Code string `json:"code"`
		} `json:"problem"`
	}
	if json.Unmarshal([]byte(envelope), &e) != nil {
		return "no envelope"
	}
	return e.Problem.Code
}

// A claims challenge in the middle of a write: the permit survives exactly one
// resend, with a fresh token.
func TestChallengeInTheMiddleOfAWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		times, sent, code int
		linked            bool
	}{"once": {times: 1, sent: 2, linked: true}, "again and again": {sent: 2, code: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &kindsWorld{canary: &canary{world: newWorld(t, oneTenant())}}
			k.cli("vault", "init").must(t)
			file := filepath.Join(k.dir, "app.pem")
			k.sim.RegisterCertificate(k.newCertificate(t, file, ""))
			k.with("contoso", "--client-id", k.sim.ClientID(), "--certificate-file", file)
			k.sim.Inject(simulator.Rule{Kind: simulator.FaultClaimsChallenge, Method: http.MethodPut, Times: test.times})
			said := k.cli("call", "register_partner", "--tenant", "contoso", "--partner-id", ourID, "--allow-writes", "--approval", "none", "--partner-ids", ourID, "--json").run(t)
			puts, tokens := 0, 0
			for _, record := range k.sim.Journal() {
				if record.Method == http.MethodPut {
					puts++
				}
				if record.Op == simulator.OpToken {
					tokens++
				}
			}
			if said.code != test.code || puts != test.sent || tokens != 2 {
				t.Errorf("exit code %d, %d writes sent, %d tokens; want %d, %d, 2: %s", said.code, puts, tokens, test.code, test.sent, said.both())
			}
			if _, linked := k.sim.Link("contoso", ""); linked != test.linked {
				t.Errorf("linked: %t, want %t", linked, test.linked)
			}
		})
	}
}
