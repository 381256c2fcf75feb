package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/youmark/pkcs8"

	"mcp-partner/simulator"
)

// kindCommand sets up what the kinds of credentials need:
//
//	kind certificate FILE DAYS [PASSPHRASE]   makes and registers one that ends then, and began 400 days before
//	kind curve FILE                           makes one that is not RSA
//	kind token FILE SUBJECT                   trusts a cluster and projects its token
//	kind person NAME TENANT...                somebody who approves every code
//	kind end NAME                             ends a person's sign-ins
//	kind machine TENANT                       an App Service of that tenant
func kindCommand(ts *testscript.TestScript, neg bool, args []string) {
	world, _ := ts.Value(worldKey).(*azure)
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kind certificate|curve|token|person|end|machine ARGUMENTS")
	}
	switch args[0] {
	case "certificate":
		ts.Check(makeCertificate(world.Sim, ts.MkAbs(args[1]), args[2], append(args, "")[3]))
	case "curve":
		ts.Check(makeCurve(ts.MkAbs(args[1])))
	case "token":
		ts.Check(projectToken(world.Sim, ts.MkAbs(args[1]), args[2]))
	case "person":
		objects, err := world.Sim.AddUser(args[1], args[2], args[3:]...)
		ts.Check(err)
		world.Sim.ApproveDevices(args[1])
		tenant, _ := world.Sim.Tenant(args[2])
		ts.Setenv("PERSON_OBJECT", objects[tenant.TenantID])
	case "end":
		world.Sim.EndSignIns(args[1])
	case "machine":
		startMachine(ts, world.Sim, args[1])
	default:
		ts.Fatalf("there is no %q", args[0])
	}
}

func makeCertificate(sim *simulator.Simulator, path, days, passphrase string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(days)
	if err != nil {
		return err
	}
	end := time.Now().AddDate(0, 0, n)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: filepath.Base(path)},
		NotBefore: end.AddDate(0, 0, -400), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "PRIVATE KEY"}
	if passphrase != "" {
		block.Type = "ENCRYPTED PRIVATE KEY"
	}
	if block.Bytes, err = pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil); err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	sim.RegisterCertificate(certificate)
	return os.WriteFile(path, append(pem.EncodeToMemory(block), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...), 0o600)
}

func makeCurve(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

func projectToken(sim *simulator.Simulator, path, subject string) error {
	issuer, err := sim.NewIssuer("https://cluster.example/oidc")
	if err != nil {
		return err
	}
	sim.Federate(simulator.Federation{Issuer: issuer, Subject: subject})
	token, err := issuer.Token(subject, simulator.TokenExchangeAudience, time.Hour)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(token), 0o600)
}

func startMachine(ts *testscript.TestScript, sim *simulator.Simulator, tenant string) {
	const client, object = "0c1b2a39-2222-4222-8333-000000000001", "0c1b2a39-2222-4222-8333-000000000002"
	ts.Check(sim.AddManagedIdentity(simulator.ManagedIdentity{Tenant: tenant, ClientID: client, ObjectID: object}))
	endpoint := httptest.NewServer(sim.MetadataHandler())
	ts.Defer(endpoint.Close)
	ts.Setenv("IDENTITY_ENDPOINT", endpoint.URL+"/msi/token")
	ts.Setenv("IDENTITY_HEADER", sim.IdentityHeader())
	ts.Setenv("MACHINE_OBJECT", object)
}
