package signin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// year is the end of certificates that are good.
func year() time.Time { return time.Now().Add(365 * 24 * time.Hour).UTC().Truncate(time.Second) }

func TestCertificateSignsInAtTheSimulator(t *testing.T) {
	t.Parallel()
	key, end := rsaKey(t, 0), year()
	issued := certificate(t, key, end)
	above := certificate(t, rsaKey(t, 1), end)
	legacy, err := pkcs12.LegacyDES.Encode(key, issued, nil, "pass word")
	if err != nil {
		t.Fatal(err)
	}
	modern, err := pkcs12.Modern.Encode(key, issued, []*x509.Certificate{above}, "pass word")
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pkcs12.Passwordless.Encode(key, issued, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]struct {
		raw        []byte
		passphrase string
	}{
		"PEM": {pemOf(t, key, issued), ""}, "PEM with the chain first": {pemOf(t, key, above, issued), ""},
		"PEM with PKCS #1": {pkcs1PEM(key, issued), ""}, "PEM with an encrypted key": {encryptedPEM(t, key, issued, "pass word"), "pass word"},
		"PFX": {modern, "pass word"}, "old PFX": {legacy, "pass word"}, "PFX without a passphrase": {bare, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret, about, err := NewCertificate(given.raw, []byte(given.passphrase))
			if err != nil {
				t.Fatal(err)
			}
			if !about.NotAfter.Equal(end) || len(about.Thumbprint) != 40 {
				t.Errorf("the certificate is told as %+v", about)
			}
			w := newWorld(t, 2, tenants.CredentialConfig{Kind: tenants.KindClientCertificate})
			w.sim.RegisterCertificate(issued)
			w.put(secret)
			for _, tenant := range w.sim.Tenants() {
				if got := w.accepted(tenant.Name); got != tenant.ObjectID {
					t.Errorf("%s acts as %s, want %s", tenant.Name, got, tenant.ObjectID)
				}
			}
		})
	}
}

func pkcs1PEM(key *rsa.PrivateKey, issued *x509.Certificate) []byte {
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: issued.Raw})
	_ = pem.Encode(&b, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return b.Bytes()
}

func encryptedPEM(tb testing.TB, key crypto.PrivateKey, issued *x509.Certificate, passphrase string) []byte {
	tb.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: issued.Raw})
	return b.Bytes()
}

func TestInvalidCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	key, other := rsaKey(t, 0), rsaKey(t, 1)
	issued := certificate(t, key, year())
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	elliptical := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	pfx, err := pkcs12.Modern.Encode(key, issued, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")})
	for name, test := range map[string]struct {
		raw        []byte
		passphrase string
		says       string
	}{
		"elliptic curve":         {raw: elliptical, says: "not an RSA key"},
		"SEC 1":                  {raw: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}), says: "not an RSA key"},
		"key of another":         {raw: pemOf(t, other, issued), says: "no certificate for its private key"},
		"no certificate":         {raw: pemOf(t, key), says: "no certificate for its private key"},
		"no key":                 {raw: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Raw}), says: "no private key"},
		"two keys":               {raw: append(pemOf(t, key, issued), pemOf(t, other)...), says: "more than one private key"},
		"wrong passphrase, PFX":  {raw: pfx, passphrase: "wrong", says: "does not open the PFX"},
		"wrong passphrase, PEM":  {raw: encryptedPEM(t, key, issued, "right"), passphrase: "wrong", says: "does not open the key"},
		"old encryption":         {raw: old, passphrase: "x", says: "openssl pkcs8"},
		"neither":                {raw: []byte("something"), says: "neither PEM nor a PFX"},
		"too large":              {raw: make([]byte, vault.MaxSecretBytes+1), says: "larger than"},
		"unreadable certificate": {raw: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), says: "cannot be read"},
	} {
		_, _, err := NewCertificate(test.raw, []byte(test.passphrase))
		problem := problems.As(err)
		if problem == nil || problem.Code != problems.CodeInvalidArgument || !strings.Contains(problem.Message, test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
		if NeedsPassphrase(err) {
			t.Errorf("%s: asks for a passphrase", name)
		}
	}
	for name, raw := range map[string][]byte{"PFX": pfx, "PEM": encryptedPEM(t, key, issued, "right")} {
		if _, _, err := NewCertificate(raw, nil); !NeedsPassphrase(err) {
			t.Errorf("%s without its passphrase: %v", name, err)
		}
	}
}

func TestUnregisteredCertificateIsRefused(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 0)
	issued := certificate(t, key, year())
	w := newWorld(t, 2, tenants.CredentialConfig{Kind: tenants.KindClientCertificate})
	w.put(stored(t, pemOf(t, key, issued), ""))
	for _, tenant := range []string{"contoso", "fabrikam"} {
		_, err := w.token(tenant)
		problem := roomtest.WantCode(t, err, problems.CodeCredentialRejected)
		if problem.ForeignCode != "AADSTS700027" || !strings.Contains(problem.Command, "--certificate-file") {
			t.Errorf("problem is %+v", problem)
		}
	}
	if got := w.sim.Stats().TokenRequests; got != 1 {
		t.Errorf("the certificate was presented %d times, want once", got)
	}
	w.sim.RegisterCertificate(issued)
	w.clock.Advance(refusedFor + time.Second)
	w.accepted("contoso")
}

func TestExpiredCertificateIsNotPresented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientCertificate})
	key := rsaKey(t, 0)
	w.put(stored(t, pemOf(t, key, certificate(t, key, w.clock.Now().Add(time.Hour))), ""))
	w.clock.Advance(2 * time.Hour)
	_, err := w.token("contoso")
	problem := roomtest.WantCode(t, err, problems.CodeCredentialExpired)
	if !strings.Contains(problem.Message, "nothing was sent") || w.sim.Stats().TokenRequests != 0 {
		t.Errorf("%d requests, problem %+v", w.sim.Stats().TokenRequests, problem)
	}
}

// Microsoft's own client judges the simulator: it signs in with the certificate
// that is registered and with no other.
func TestAzidentityAcceptsTheSimulatorsAssertions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret})
	key, other := rsaKey(t, 0), rsaKey(t, 1)
	issued := certificate(t, key, year())
	w.sim.RegisterCertificate(issued)
	ask := func(c *x509.Certificate, key crypto.PrivateKey) error {
		client, err := w.opts.HTTP.Client([]byte(caOf(w.azure)))
		if err != nil {
			return err
		}
		credential, err := azidentity.NewClientCertificateCredential(w.sim.Tenants()[0].TenantID, w.sim.ClientID(), []*x509.Certificate{c}, key,
			&azidentity.ClientCertificateCredentialOptions{DisableInstanceDiscovery: true, ClientOptions: azcore.ClientOptions{
				Transport: client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: w.azure.URL}}})
		if err != nil {
			return err
		}
		_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{w.sim.Audience() + "/.default"}})
		return err
	}
	if err := ask(issued, key); err != nil {
		t.Errorf("the registered certificate: %v", err)
	}
	if err := ask(certificate(t, other, year()), other); err == nil {
		t.Error("another certificate was accepted")
	}
	w.sim.UnregisterCertificate(issued)
	if err := ask(issued, key); err == nil {
		t.Error("a certificate that was taken away was accepted")
	}
}

// A certificate in a value that is printed shows nothing of its key.
func TestStoredCertificatePrintsNothing(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 0)
	secret := stored(t, pemOf(t, key, certificate(t, key, year())), "")
	holder := struct{ p proof }{proof{secret: secret}}
	found, err := readPair(sealed.Bytes(secret), nil)
	if err != nil {
		t.Fatal(err)
	}
	record := signInRecord{Cache: map[string]json.RawMessage{"RefreshToken": []byte(`"PRIVATE KEY"`)}}
	x := &exchange{body: []byte("PRIVATE KEY")}
	for _, value := range []any{secret, holder, found, &found, record, &signInCache{record: record, fresh: record.Cache}, silent{tenantID: "PRIVATE KEY"}, x} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "45 45 45 45") || strings.Contains(text, "50524956") || strings.Contains(text, key.D.String()[:20]) {
				t.Errorf("%s of a %T shows it", verb, value)
			}
		}
	}
}

func TestStoredTextThatIsNoCertificateIsReported(t *testing.T) {
	t.Parallel()
	w := ready(t, tenants.KindClientCertificate, 1)
	w.put(sealed.Seal([]byte("no certificate")))
	_, err := w.token(w.sim.Tenants()[0].Name)
	roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
}
