package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"filippo.io/age"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// ownerName names the one who made the vault in the list of recipients.
const ownerName = "owner"

// maxRecipients bounds the list: each one is an operation at every write.
const maxRecipients = 64

// Recipient is somebody, a person or a server, who can open a vault in a file.
// The key is the public half of an age identity and no secret.
type Recipient struct {
	Name    string    `json:"name"`
	Key     string    `json:"key"`
	AddedAt time.Time `json:"added_at"`
}

// Recipients returns who can open the vault, by name. It is empty for a vault
// that has one key only. Problems: those of Open, CodeInvalidArgument where the
// secrets are elsewhere.
func (v *Vault) Recipients(ctx context.Context) ([]Recipient, error) {
	if err := v.shareable(); err != nil {
		return nil, err
	}
	state, err := v.keys.open(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(state.payload.recipients), nil
}

// AddRecipient lets an age identity open the vault from now on. The first one
// also adds the vault's creator as the recipient "owner".
func (v *Vault) AddRecipient(ctx context.Context, name, publicKey string) error {
	if err := v.shareable(); err != nil {
		return err
	}
	if err := naming.Check("recipient name", name); err != nil {
		return err
	}
	if _, err := parseRecipient(publicKey); err != nil {
		return err
	}
	return v.keys.revise(ctx, func(next *payload, k *key) (bool, error) {
		if err := next.ownFirst(k); err != nil {
			return false, err
		}
		for _, r := range next.recipients {
			if naming.Fold(r.Name) == naming.Fold(name) || r.Key == publicKey {
				return false, problems.InvalidArgument("The recipient %s or its key is already in the list.", untrusted.Sanitize(name))
			}
		}
		if len(next.recipients) == maxRecipients {
			return false, problems.InvalidArgument("A vault has at most %d recipients.", maxRecipients)
		}
		next.recipients = append(next.recipients, Recipient{name, publicKey, time.Now().UTC()})
		slices.SortFunc(next.recipients, func(a, b Recipient) int { return cmp.Compare(a.Name, b.Name) })
		return true, nil
	})
}

// RemoveRecipient encrypts the vault again without one recipient, and returns
// the names of the secrets that this one could read until now: all of them
// should be replaced, since a copy may have been kept.
func (v *Vault) RemoveRecipient(ctx context.Context, name string) ([]string, error) {
	if err := v.shareable(); err != nil {
		return nil, err
	}
	var known []string
	err := v.keys.revise(ctx, func(next *payload, k *key) (bool, error) {
		i := slices.IndexFunc(next.recipients, func(r Recipient) bool { return naming.Same(r.Name, name) })
		if i < 0 {
			return false, problems.InvalidArgument("The vault has no recipient %q.", untrusted.Sanitize(name))
		}
		if k.owns(next.recipients[i].Key) {
			return false, problems.InvalidArgument("The recipient %s is the key that opens this vault here: removing it would lock you out.", next.recipients[i].Name)
		}
		next.recipients = slices.Delete(next.recipients, i, i+1)
		known = withoutInternal(next.names())
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return known, v.keys.exclusive(ctx, func(*openVault) error { return v.keys.overwritePrevious() })
}

// shareable refuses where recipients are not what lets people in.
func (v *Vault) shareable() error {
	if v.remote == nil {
		return nil
	}
	return problems.InvalidArgument("The secrets of this vault are in %s, which decides who may read them: add people there.", v.settings.Backend)
}

func (p *payload) ownFirst(k *key) error {
	if len(p.recipients) > 0 {
		return nil
	}
	own, ok := k.recipient.(*age.X25519Recipient)
	if !ok {
		return problems.New(problems.CodeInvalidArgument,
			"A vault with a passphrase, or with a key of another kind than X25519, cannot have recipients.",
			problems.WithCommand("Give it its own key first.", "mcp-partner vault rotate-key --new-key-file"))
	}
	p.recipients = []Recipient{{ownerName, own.String(), time.Now().UTC()}}
	return nil
}

func (k *key) owns(publicKey string) bool {
	return slices.ContainsFunc(k.identities, func(identity age.Identity) bool {
		own, ok := identity.(*age.X25519Identity)
		return ok && own.Recipient().String() == publicKey
	})
}

func parseRecipient(publicKey string) (age.Recipient, error) {
	recipient, err := age.ParseX25519Recipient(publicKey)
	if err != nil {
		return nil, problems.New(problems.CodeInvalidArgument, "The key of the recipient is not an age public key of the kind X25519.",
			problems.WithHint("It begins with age1 and has 62 characters; age-keygen prints it. Keep the secret half where it is."))
	}
	return recipient, nil
}

func parseRecipients(publicKeys []string) ([]age.Recipient, error) {
	all := make([]age.Recipient, len(publicKeys))
	for i, key := range publicKeys {
		var err error
		if all[i], err = parseRecipient(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// audience is for whom a payload is encrypted: the list, or the one key.
func (p *payload) audience(k *key) ([]age.Recipient, error) {
	if len(p.recipients) == 0 {
		return []age.Recipient{k.recipient}, nil
	}
	return parseRecipients(xslices.Map(p.recipients, func(r Recipient) string { return r.Key }))
}
