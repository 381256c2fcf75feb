package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

const (
	keyName = "vault.key"

	// workFactor is the binary logarithm of scrypt's cost for a vault with a
	// passphrase. 17 takes 128 MiB and about a second on a small machine, and is
	// the least that OWASP's password storage guidance names. age's own default
	// of 18 takes 256 MiB, which a container with a tight limit does not survive;
	// 16 would halve an attacker's cost. The price is paid once in a process.
	workFactor = 17
	// maxWorkFactor bounds what a tampered file can make this program spend.
	maxWorkFactor = 18

	minPassphraseBytes = 8
	maxKeyFileBytes    = 64 << 10
)

// KeySource says where the key of a vault comes from. The zero value means
// what the vault itself asks for: vault.key beside it, or a passphrase at the
// terminal. IdentityFile, PassphraseFile and Ask exclude each other.
type KeySource struct {
	// IdentityFile holds age identities, as age-keygen makes them. The first
	// one encrypts, each of them decrypts.
	IdentityFile string
	// PassphraseFile holds a passphrase; one newline at its end is not part of it.
	PassphraseFile string
	// Ask asks at the terminal for a new passphrase, twice. An existing vault says
	// itself that it wants one.
	Ask bool
	// Terminal asks for a passphrase; with nil a passphrase is refused.
	Terminal Prompter
}

// Prompter asks a person for a passphrase without showing it.
type Prompter interface {
	// Passphrase shows the prompt and returns what was typed, without newline.
	// Without a terminal it returns a CodeVaultLocked problem.
	Passphrase(ctx context.Context, prompt string) ([]byte, error)
}

func (k KeySource) check() error {
	switch {
	case k.IdentityFile != "" && k.PassphraseFile != "":
		return problems.InvalidArgument("An identity file and a passphrase file were both given: give one of them.")
	case k.Ask && k.hasFile():
		return problems.InvalidArgument("A passphrase and a key file were both given: choose one.")
	}
	return nil
}

func (k KeySource) hasFile() bool { return k.IdentityFile != "" || k.PassphraseFile != "" }

func (k KeySource) ask(ctx context.Context, prompt string) ([]byte, error) {
	if k.Terminal == nil {
		return nil, problems.New(problems.CodeVaultLocked, "The vault needs a passphrase, and there is no terminal to type it on.")
	}
	return k.Terminal.Passphrase(ctx, prompt)
}

// key opens and closes one vault.
type key struct {
	identities []age.Identity
	recipient  age.Recipient
	// what names the key in a message.
	what string
}

// given is the key of a file, or the passphrase that the sealed file wants; nil
// where it wants another key.
func (k KeySource) given(ctx context.Context, sealedFile []byte, prompt string, cost int) (*key, error) {
	switch {
	case k.IdentityFile != "":
		return identityKey(k.IdentityFile)
	case k.PassphraseFile != "":
		return passphraseFileKey(k.PassphraseFile, cost)
	case !wantsPassphrase(sealedFile):
		return nil, nil
	}
	typed, err := k.ask(ctx, prompt)
	if err != nil {
		return nil, err
	}
	defer clear(typed)
	return passphraseKey(typed, "the passphrase that was typed", cost)
}

// fresh is a new key that the source names, nil where it names none. of says in
// the prompt what it opens.
func (k KeySource) fresh(ctx context.Context, of string, cost int) (*key, error) {
	switch {
	case k.IdentityFile != "":
		return identityKey(k.IdentityFile)
	case k.PassphraseFile != "":
		return passphraseFileKey(k.PassphraseFile, cost, checkPassphrase)
	case !k.Ask:
		return nil, nil
	}
	first, err := k.ask(ctx, "New passphrase of the "+of+": ")
	if err != nil {
		return nil, err
	}
	defer clear(first)
	if err := checkPassphrase(first); err != nil {
		return nil, err
	}
	second, err := k.ask(ctx, "Repeat it: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !sealed.Seal(first).Equal(sealed.Seal(second)) {
		return nil, problems.InvalidArgument("The two passphrases differ; nothing was changed.")
	}
	return passphraseKey(first, "the passphrase", cost)
}

func checkPassphrase(passphrase []byte) error {
	if len(passphrase) < minPassphraseBytes {
		return problems.InvalidArgument("The passphrase is shorter than %d bytes; nothing was changed.", minPassphraseBytes)
	}
	return nil
}

// wantsPassphrase looks at the header of an age file, which is not secret.
func wantsPassphrase(sealedFile []byte) bool {
	_, rest, _ := bytes.Cut(sealedFile, []byte("\n"))
	return bytes.HasPrefix(rest, []byte("-> scrypt "))
}

func passphraseFileKey(path string, cost int, checks ...func([]byte) error) (*key, error) {
	text, err := readKeyFile(path, "passphrase file")
	if err != nil {
		return nil, err
	}
	defer clear(text)
	for _, check := range checks {
		if err := check(sealed.TrimNewline(text)); err != nil {
			return nil, err
		}
	}
	return passphraseKey(sealed.TrimNewline(text), "the passphrase in "+path, cost)
}

func passphraseKey(passphrase []byte, what string, cost int) (*key, error) {
	identity, errIdentity := age.NewScryptIdentity(string(passphrase))
	recipient, errRecipient := age.NewScryptRecipient(string(passphrase))
	if errIdentity != nil || errRecipient != nil {
		return nil, problems.InvalidArgument("The passphrase is empty.")
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	recipient.SetWorkFactor(cost)
	return &key{[]age.Identity{identity}, recipient, what}, nil
}

func identityKey(path string) (*key, error) {
	text, err := readKeyFile(path, "identity file")
	if err != nil {
		return nil, err
	}
	defer clear(text)
	return parseIdentities(text, path)
}

// parseIdentities never passes on an error of the parser, which quotes lines.
func parseIdentities(text []byte, path string) (*key, error) {
	identities, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil || len(identities) == 0 {
		return nil, problems.New(problems.CodeVaultCorrupt, path+" holds no age identity that can be read.",
			problems.WithHint("It is a file as age-keygen makes it, with a line AGE-SECRET-KEY-1... Restore it from a backup."))
	}
	k := &key{identities: identities, what: "the identity in " + path}
	switch first := identities[0].(type) {
	case *age.X25519Identity:
		k.recipient = first.Recipient()
	case *age.HybridIdentity:
		k.recipient = first.Recipient()
	default:
		return nil, problems.InvalidArgument("The first identity in %s is of a kind that cannot encrypt here: use one of age-keygen.", path)
	}
	return k, nil
}

// readKeyFile reads a key that lies outside of the state directory. It must be a
// regular file: standard input belongs to the protocol.
func readKeyFile(path, what string) ([]byte, error) {
	text, err := disk.ReadTrusted(path, disk.Secret, maxKeyFileBytes)
	if untrusted, ok := errors.AsType[*disk.Untrusted](err); ok {
		return nil, disk.Unsafe("The "+what+" cannot be used: "+untrusted.Error()+".", untrusted.Next())
	}
	if err == nil {
		return text, nil
	}
	hint := "Check the path and who owns the file."
	if errors.Is(err, fs.ErrNotExist) {
		hint = "Check the path: there is no such file."
	}
	return nil, problems.New(problems.CodeVaultUnavailable,
		fmt.Sprintf("The %s %s cannot be read: %s.", what, path, disk.Cause(err)), problems.WithHint("%s", hint))
}
