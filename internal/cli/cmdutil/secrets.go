package cmdutil

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// toSecret clears what was read.
func toSecret(raw []byte, err error) (vault.Secret, error) {
	if err != nil {
		return vault.Secret{}, err
	}
	defer clear(raw)
	return vault.NewSecret(raw)
}

// readSecretBytes reads a small file; the caller clears what it gets.
func readSecretBytes(path, flag string) ([]byte, error) {
	file, err := disk.OpenTrusted(path, disk.Secret)
	if err != nil {
		return nil, exit.FileError(flag, path, "give the path of a file that you can read", err)
	}
	defer file.Close()
	return readAtMost(file, path)
}

// readAtMost reads into one buffer: one that grows would leave copies of a
// secret behind.
func readAtMost(from io.Reader, name string) ([]byte, error) {
	buffer := make([]byte, vault.MaxSecretBytes+2)
	n, err := io.ReadFull(from, buffer)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(buffer)
		return nil, exit.Usage("give it as a file", "%s cannot be read", name)
	}
	return buffer[:n], nil
}

// secretOrPrompt takes the secret from where the flags say. It asks at the terminal
// where they say nothing, and where standard input is one: what is typed there
// would be shown.
func (d *Deps) secretOrPrompt(ctx context.Context, s *credential.SecretOptions, credential string) (vault.Secret, error) {
	switch {
	case s.Stdin && s.File != "":
		return vault.Secret{}, exit.Usage("give one of them", "--secret-stdin and --secret-file were both given")
	case s.Stdin && !d.IO.InTTY:
		return toSecret(readAtMost(d.IO.In, "standard input"))
	case s.File != "":
		return toSecret(readSecretBytes(s.File, "--secret-file"))
	}
	return toSecret(d.askHidden(ctx, secretPrompt(credential), "the secret of credential "+credential+" is missing", "use --secret-stdin or --secret-file FILE"))
}

// askHidden asks at the terminal for what no flag gave.
func (d *Deps) askHidden(ctx context.Context, prompt, missing, next string) ([]byte, error) {
	typed, err := d.IO.Prompt(ctx, prompt, true)
	switch {
	case errors.Is(err, term.ErrNoTerminal):
		return nil, exit.Usage(next, "%s, and there is no terminal to ask at", missing)
	case err != nil || typed == "":
		return nil, exit.Usage(next, "%s, and nothing was typed", missing)
	}
	return []byte(typed), nil
}

// PromptSecret asks for the client secret of a credential, without echo. Its error
// is the terminal's.
func PromptSecret(ctx context.Context, terminal term.Terminal, credential string) (string, error) {
	return terminal.Ask(ctx, term.Escape(secretPrompt(credential)), true)
}

func secretPrompt(credential string) string {
	return "Client secret of " + credential + " (not shown): "
}

// AskSecret reads the secret or the certificate of a credential, from where the flags
// say or from the terminal.
func AskSecret(ctx context.Context, c *credential.Options, deps *Deps, config tenants.CredentialConfig) (credential.Provided, error) {
	if config.Kind == tenants.KindClientCertificate {
		return askCertificate(ctx, c, deps, config)
	}
	end, err := c.End()
	if err != nil {
		return credential.Provided{}, err
	}
	secret, err := deps.secretOrPrompt(ctx, &c.Secret, config.Name)
	return credential.Provided{Secret: secret, Config: signin.Renewed(config, signin.Certificate{}, end)}, err
}

func askCertificate(ctx context.Context, c *credential.Options, deps *Deps, config tenants.CredentialConfig) (credential.Provided, error) {
	raw, err := readCertificate(c, deps)
	if err != nil {
		return credential.Provided{}, err
	}
	defer clear(raw)
	passphrase, err := readPassphrase(c)
	if err != nil {
		return credential.Provided{}, err
	}
	defer func() { clear(passphrase) }()
	secret, about, err := signin.NewCertificate(raw, passphrase)
	if signin.NeedsPassphrase(err) {
		passphrase, err = deps.askHidden(ctx, "Passphrase of the certificate's key (not shown): ", "the certificate's key is encrypted", "give --certificate-passphrase-file FILE")
		if err != nil {
			return credential.Provided{}, err
		}
		secret, about, err = signin.NewCertificate(raw, passphrase)
	}
	if err != nil {
		return credential.Provided{}, err
	}
	return credential.Provided{Secret: secret, Config: signin.Renewed(config, about, "")}, about.CheckDates(time.Now())
}

func readCertificate(k *credential.Options, deps *Deps) ([]byte, error) {
	switch {
	case k.CertificateStdin && k.CertificateFile != "":
		return nil, exit.Usage("give one of them", "--certificate-stdin and --certificate-file were both given")
	case k.CertificateStdin && deps.IO.InTTY:
		return nil, exit.Usage("give --certificate-file FILE, or pipe it in", "standard input is a terminal, which would show the key of the certificate")
	case k.CertificateStdin:
		return readAtMost(deps.IO.In, "standard input")
	case k.CertificateFile == "":
		return nil, exit.Usage("use --certificate-file FILE or --certificate-stdin", "the certificate is missing")
	}
	return readSecretBytes(k.CertificateFile, "--certificate-file")
}

func readPassphrase(k *credential.Options) ([]byte, error) {
	if k.PassphraseFile == "" {
		return nil, nil
	}
	raw, err := readSecretBytes(k.PassphraseFile, "--certificate-passphrase-file")
	return []byte(strings.TrimRight(string(raw), "\r\n")), err
}

// SecretOf is what goes into the vault for a credential. For a new one the
// vault may hold it already: vault add stored it, or another program did in a
// backend. That one is used then, and never replaced by the way.
func (d *Deps) SecretOf(ctx context.Context, a *app.App, config tenants.CredentialConfig, o *credential.Options) (credential.Provided, error) {
	if _, err := a.Directory.Credential(config.Name); err == nil {
		return AskSecret(ctx, o, d, config)
	}
	held, err := a.Holds(ctx, config.Name)
	switch {
	case err != nil:
		return credential.Provided{}, err
	case !held:
		return AskSecret(ctx, o, d, config)
	case o.Given():
		return credential.Provided{}, exit.Refused("leave the secret out to use the stored one, or choose another name with --credential",
			"the vault already holds a secret named %s, which no credential uses yet", config.Name)
	}
	end, err := o.End()
	if err != nil {
		return credential.Provided{}, err
	}
	return a.Adopt(ctx, config, end)
}
