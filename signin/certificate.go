package signin

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const (
	maxCertificates = 10
	minRSABits      = 2048
	blockKey        = "PRIVATE KEY"
	blockCert       = "CERTIFICATE"
)

// Certificate is what may be told of a client certificate.
type Certificate struct {
	NotBefore, NotAfter time.Time
	// Thumbprint is the SHA-1 in hexadecimal, by which Azure's portal shows it.
	Thumbprint string
}

// CheckDates refuses a certificate that Entra ID does not accept at a time: one
// that has expired or does not hold yet. It returns a CodeInvalidArgument
// problem.
func (c Certificate) CheckDates(now time.Time) error {
	var why string
	switch {
	case now.After(c.NotAfter):
		why = "has expired"
	case now.Before(c.NotBefore):
		why = "is not valid yet"
	default:
		return nil
	}
	return problems.InvalidArgument("The certificate %s: it is valid from %s to %s. Give a valid one, or check the clock of this machine.",
		why, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
}

var errPassphrase = errors.New("a passphrase is needed")

// NeedsPassphrase reports whether an error of NewCertificate says that the key
// is encrypted and a passphrase has to be given.
func NeedsPassphrase(err error) bool { return errors.Is(err, errPassphrase) }

// NewCertificate takes a certificate with its RSA key, in PEM or as PKCS #12
// (PFX), and returns it as a secret for a Store. An encrypted key is decrypted
// with the passphrase, which is not kept: the vault encrypts the key instead.
// It copies what it keeps; the caller may clear its own.
//
// NeedsPassphrase tells of an encrypted key without a passphrase; every other
// error is a CodeInvalidArgument problem.
func NewCertificate(raw, passphrase []byte) (secret vault.Secret, about Certificate, err error) {
	if len(raw) > vault.MaxSecretBytes {
		return vault.Secret{}, Certificate{}, problems.InvalidArgument("The certificate is larger than %d bytes.", vault.MaxSecretBytes)
	}
	sealed.WithSecret(func() {
		var given pair
		if given, err = readPair(raw, passphrase); err == nil {
			about = given.about()
			secret, err = given.seal()
		}
	})
	return secret, about, err
}

// CertificateOf describes the certificate in a Store. Another program may have
// stored it: the key must not be encrypted. Errors are CodeInvalidArgument
// problems.
func CertificateOf(secret vault.Secret) (Certificate, error) {
	found, err := openPair(secret)
	if err != nil {
		return Certificate{}, err
	}
	return found.about(), nil
}

// openPair reads what a Store holds of a certificate.
func openPair(secret vault.Secret) (found pair, err error) {
	sealed.WithSecret(func() { found, err = readPair(sealed.Bytes(secret), nil) })
	return found, err
}

// Present opens a secret that this server itself shows an issuer at which people sign
// in: a text, or a key with its certificate in DER. It must go nowhere else.
func Present(secret vault.Secret) (text string, key *rsa.PrivateKey, certificate []byte, err error) {
	sealed.WithSecret(func() {
		raw := sealed.Bytes(secret)
		if !isPEM(plainForm(raw)) {
			text = string(raw)
			return
		}
		var found pair
		if found, err = readPair(raw, nil); err == nil {
			key, certificate = found.key, found.chain[0].Raw
		}
	})
	return text, key, certificate, err
}

// pair is an RSA key with its certificate, which comes first, and those above
// it.
type pair struct {
	sealed.Unprintable
	key   *rsa.PrivateKey
	chain []*x509.Certificate
}

func (p pair) about() Certificate {
	leaf := p.chain[0]
	sum := sha1.Sum(leaf.Raw)
	return Certificate{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Thumbprint: strings.ToUpper(hex.EncodeToString(sum[:]))}
}

// seal writes the pair as PEM, the form in which the vault keeps it.
func (p pair) seal() (vault.Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return vault.Secret{}, problems.InvalidArgument("The key of the certificate cannot be stored.")
	}
	defer clear(der)
	var b bytes.Buffer
	b.Grow(vault.MaxSecretBytes) // one that grows would leave copies of the key behind
	_ = pem.Encode(&b, &pem.Block{Type: blockKey, Bytes: der})
	for _, c := range p.chain {
		_ = pem.Encode(&b, &pem.Block{Type: blockCert, Bytes: c.Raw})
	}
	defer clear(b.Bytes())
	if b.Len() > vault.MaxSecretBytes {
		return vault.Secret{}, problems.InvalidArgument("The certificate and those above it are larger than %d bytes.", vault.MaxSecretBytes)
	}
	return sealed.Seal(bytes.Clone(b.Bytes())), nil
}

func readPair(raw, passphrase []byte) (pair, error) {
	read := readPFX
	if raw = plainForm(raw); isPEM(raw) {
		read = readPEM
	}
	key, certificates, err := read(raw, passphrase)
	if err != nil {
		return pair{}, err
	}
	return matched(key, certificates)
}

func readPEM(raw, passphrase []byte) (key any, certificates []*x509.Certificate, err error) {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == blockCert {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, problems.InvalidArgument("A certificate in the file cannot be read.")
			}
			certificates = append(certificates, certificate)
			continue
		}
		one, err := readKeyBlock(block, passphrase)
		clear(block.Bytes)
		switch {
		case err != nil:
			return nil, nil, err
		case key != nil && one != nil:
			return nil, nil, problems.InvalidArgument("The file has more than one private key: give only the certificate and its key.")
		case one != nil:
			key = one
		}
	}
	return key, certificates, nil
}

// readKeyBlock returns nil for a block that holds no key.
func readKeyBlock(block *pem.Block, passphrase []byte) (any, error) {
	var key any
	var err error
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, problems.InvalidArgument("The key is encrypted in an old, weak format: convert it with: openssl pkcs8 -topk8 -in KEY.pem")
	case block.Type == blockKey:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		return nil, notRSA()
	case block.Type == "ENCRYPTED PRIVATE KEY" && len(passphrase) == 0:
		return nil, fmt.Errorf("%w: %w", errPassphrase, problems.InvalidArgument("The key of the certificate is encrypted, and no passphrase was given."))
	case block.Type == "ENCRYPTED PRIVATE KEY":
		key, err = pkcs8.ParsePKCS8PrivateKey(block.Bytes, passphrase)
		switch {
		case err != nil && (strings.Contains(err.Error(), "unsupported") || strings.Contains(err.Error(), "only P")):
			// The name keeps the user from looking for another passphrase.
			return nil, problems.InvalidArgument("The key of the certificate is encrypted in an unsupported format (%s): convert it with: openssl pkcs8 -topk8 -v2 aes256 -in KEY.pem", unsupportedCipher(err, block.Bytes))
		case err != nil:
			return nil, problems.InvalidArgument("The passphrase does not open the key of the certificate.")
		}
	}
	if err != nil {
		return nil, problems.InvalidArgument("The private key in the file cannot be read.")
	}
	return key, nil
}

// readPFX tries the passphrase that many tools give a file without one: none.
func readPFX(raw, passphrase []byte) (any, []*x509.Certificate, error) {
	key, leaf, chain, err := pkcs12.DecodeChain(raw, string(passphrase))
	var unsupported pkcs12.NotImplementedError
	switch {
	case errors.As(err, &unsupported):
		return nil, nil, problems.InvalidArgument("The PFX file is encrypted in an unsupported format: export it again with AES256 and SHA256, or convert it to PEM with: openssl pkcs12 -in FILE.pfx -out FILE.pem")
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && len(passphrase) == 0:
		return nil, nil, fmt.Errorf("%w: %w", errPassphrase, problems.InvalidArgument("The PFX file is encrypted, and no passphrase was given."))
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, problems.InvalidArgument("The passphrase does not open the PFX file.")
	case err != nil:
		return nil, nil, problems.InvalidArgument("The file is neither PEM nor a PFX file with one key and its certificate.")
	}
	return key, append([]*x509.Certificate{leaf}, chain...), nil
}

func notRSA() error {
	return problems.InvalidArgument("The key of the certificate is not an RSA key: Entra ID accepts only RSA keys (for example: openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=mcp-partner -keyout key.pem -out cert.pem).")
}

func matched(key any, certificates []*x509.Certificate) (pair, error) {
	if key == nil {
		return pair{}, problems.InvalidArgument("The file has no private key: give certificate and key in one PEM or PFX file.")
	}
	private, ok := key.(*rsa.PrivateKey)
	switch {
	case !ok:
		return pair{}, notRSA()
	case private.N.BitLen() < minRSABits:
		return pair{}, problems.InvalidArgument("The RSA key of the certificate has %d bits: at least %d are needed.", private.N.BitLen(), minRSABits)
	case len(certificates) > maxCertificates:
		return pair{}, problems.InvalidArgument("The file has more than %d certificates.", maxCertificates)
	}
	for i, c := range certificates {
		if public, ok := c.PublicKey.(*rsa.PublicKey); ok && public.Equal(private.Public()) {
			chain := append([]*x509.Certificate{c}, certificates[:i]...)
			return pair{key: private, chain: append(chain, certificates[i+1:]...)}, nil
		}
	}
	return pair{}, problems.InvalidArgument("The file has no certificate for its private key.")
}

// Renewed returns the credential as it is once another secret has taken the
// place of the one it had. What was known of the former, its end and its
// thumbprint, goes with it. certificate is that of a client-certificate, else
// zero; expires is what a person said of a client secret's end, or empty.
func Renewed(c tenants.CredentialConfig, certificate Certificate, expires string) tenants.CredentialConfig {
	c.Expires, c.Thumbprint = expires, ""
	if c.Kind == tenants.KindClientCertificate {
		c.Expires, c.Thumbprint = tenants.FormatExpiry(certificate.NotAfter), certificate.Thumbprint
	}
	return c
}
