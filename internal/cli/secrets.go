package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/pflag"

	"mcp-partner/internal/disk"
	"mcp-partner/vault"
)

// azureCLI is the name of the credential that is whoever signed in with az.
const azureCLI = "azure-cli"

// credentialOptions say which credential acts in a tenant, and how its secret
// comes in.
type credentialOptions struct {
	name, clientID string
	secret         secretOptions
	kind           kindOptions
}

func (c *credentialOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.name, "credential", "", "`NAME` of the credential, or azure-cli (default: named after the tenant)")
	flags.StringVar(&c.clientID, "client-id", "", "`GUID` of the application")
	c.secret.add(flags)
	c.kind.add(flags)
}

// given reports whether the flags name something that goes into the vault.
func (c *credentialOptions) given() bool { return c.secret.given() || c.kind.certificate() }

// secretOptions are the ways of a secret that come by flag: never the secret
// itself, which every process on the machine could read there.
type secretOptions struct {
	stdin bool
	file  string
}

func (s *secretOptions) add(flags *pflag.FlagSet) {
	flags.BoolVar(&s.stdin, "secret-stdin", false, "read the client secret from standard input")
	flags.StringVar(&s.file, "secret-file", "", "read the client secret from this `FILE`")
}

func (s *secretOptions) given() bool { return s.stdin || s.file != "" }

// read takes the secret from where the flags say. It is the zero Secret if they
// say nothing.
func (s *secretOptions) read(in io.Reader) (vault.Secret, error) {
	switch {
	case s.stdin && s.file != "":
		return vault.Secret{}, usage("give one of them", "--secret-stdin and --secret-file were both given")
	case s.stdin:
		return readSecret(in, "standard input")
	case s.file != "":
		return readSecretFile(s.file)
	}
	return vault.Secret{}, nil
}

func readSecretFile(path string) (vault.Secret, error) {
	raw, err := readSecretBytes(path, "--secret-file")
	if err != nil {
		return vault.Secret{}, err
	}
	defer clear(raw)
	return vault.NewSecret(raw)
}

func readSecret(from io.Reader, name string) (vault.Secret, error) {
	raw, err := readAtMost(from, name)
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
		return nil, fileError(flag, path, "give the path of a file that you can read", err)
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
		return nil, usage("give it as a file", "%s cannot be read", name)
	}
	return buffer[:n], nil
}

// secretOrPrompt asks at the terminal where no flag says where the secret is.
func (f *Factory) secretOrPrompt(ctx context.Context, s *secretOptions, credential string) (vault.Secret, error) {
	if s.given() {
		return s.read(f.IO.In)
	}
	noTerminal := usage("pipe it in with --secret-stdin, or give --secret-file FILE", "the secret of credential %s is missing, and there is no terminal to ask on", credential)
	if !f.IO.attended() {
		return vault.Secret{}, noTerminal
	}
	terminal, err := f.IO.Terminal()
	if err != nil {
		return vault.Secret{}, noTerminal
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, "Client secret of "+escape(credential)+" (not shown): ", true)
	if err != nil {
		return vault.Secret{}, usage("pipe it in with --secret-stdin", "no secret was typed")
	}
	return vault.NewSecret([]byte(typed))
}
