package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
)

// RestoreOptions say how a backup is put back.
type RestoreOptions struct {
	// Key opens the backup, not the vault.
	Key KeySource
	// Force puts it back although secrets that are here would be replaced or
	// removed.
	Force bool
	// Tenants is where the directory of tenants comes back.
	Tenants Tenants
}

// Restored says what came back.
type Restored struct {
	BackupInfo
	// Older is true where the vault here had a higher generation.
	Older bool `json:"older"`
	// Replaced names secrets that were here with another value, or are not in
	// the backup and were removed.
	Replaced []string `json:"replaced"`
	// OwnKeys is true where the program's own keys in the backup came back, false
	// where those that are here stayed.
	OwnKeys bool `json:"own_keys"`
	// Tenants is true where the directory of tenants came back; one that is here
	// stays.
	Tenants bool `json:"tenants"`
}

// Restore puts a backup back into a vault that Init has made. Secrets become
// those of the backup; where they are elsewhere, those of the backup are put
// there. The program's own keys and a directory of tenants that are here stay,
// since the ledger here belongs to them. Problems: those of Open,
// CodeVaultCorrupt for a backup that cannot be used, CodeStateMoved where it
// would replace secrets and is not forced.
func (v *Vault) Restore(ctx context.Context, sealedFile []byte, o RestoreOptions) (Restored, error) {
	if err := v.Open(ctx); err != nil {
		return Restored{}, err
	}
	file, err := unlockBackup(ctx, o.Key, sealedFile)
	if err != nil {
		return Restored{}, err
	}
	content, err := file.payload()
	if err != nil {
		return Restored{}, brokenBackup("it was decrypted, but " + problems.Clause(err))
	}
	done := Restored{BackupInfo: file.info(), Replaced: []string{}}
	if v.remote != nil {
		err = v.restoreRemote(ctx, content, file, o, &done)
	} else {
		err = v.restoreFile(ctx, content, file, o, &done)
	}
	if err != nil {
		return done, err
	}
	done.Tenants, err = o.Tenants.Import(ctx, file.Directory)
	return done, err
}

func (v *Vault) restoreFile(ctx context.Context, content *payload, file *backupFile, o RestoreOptions, done *Restored) error {
	return v.keys.revise(ctx, func(next *payload, k *key) (bool, error) {
		done.Older = file.Generation < next.generation-1
		for name, here := range next.secrets {
			if isInternal(name) {
				continue
			}
			if there, ok := content.secrets[name]; !ok || !there.Secret.Equal(here.Secret) {
				done.Replaced = append(done.Replaced, here.Name)
			}
		}
		slices.Sort(done.Replaced)
		if err := done.check(o); err != nil {
			return false, err
		}
		next.takeSecrets(content)
		next.takeRecipients(content, k)
		return true, v.takeKeys(next, content, file, done)
	})
}

func (r *Restored) check(o RestoreOptions) error {
	if len(r.Replaced) == 0 || o.Force {
		return nil
	}
	age := "The backup is not older than the vault here, and"
	if r.Older {
		age = fmt.Sprintf("The backup is older than the vault here (generation %d of %s), and", r.Generation, r.MadeAt.Format("2006-01-02"))
	}
	return problems.New(problems.CodeStateMoved,
		age+" it would replace or remove existing secrets: "+strings.Join(r.Replaced, ", ")+". Nothing was changed.",
		problems.WithHint("Back up the current vault, then use --force."))
}

func (p *payload) takeSecrets(from *payload) {
	maps.DeleteFunc(p.secrets, func(name string, _ Stored) bool { return !isInternal(name) })
	for name, s := range from.secrets {
		if !isInternal(name) {
			p.secrets[name] = s
		}
	}
}

// takeRecipients takes the list of the backup if the key here is in it: another
// list would lock out the person who restores.
func (p *payload) takeRecipients(from *payload, k *key) {
	if slices.ContainsFunc(from.recipients, func(r Recipient) bool { return k.owns(r.Key) }) {
		p.recipients = from.recipients
	}
}

// takeKeys takes the program's own keys where none is used yet. The counter
// comes with its number, so that a ledger that is missing is noticed.
func (v *Vault) takeKeys(next, from *payload, file *backupFile, done *Restored) error {
	for name, s := range next.secrets {
		if isInternal(name) && !s.UpdatedAt.IsZero() {
			return nil
		}
	}
	for name, s := range from.secrets {
		if isInternal(name) {
			next.secrets[name] = s
			done.OwnKeys = true
		}
	}
	counter, ok := next.secrets[counterKey]
	if !ok {
		return nil
	}
	return v.keys.disk.Write(counterName, encodeCounter(sealed.Bytes(counter.Secret), file.Counter))
}

// restoreRemote puts each secret into the backend. Secrets with other names
// stay.
func (v *Vault) restoreRemote(ctx context.Context, content *payload, file *backupFile, o RestoreOptions, done *Restored) error {
	names := withoutInternal(content.names())
	var missing []string
	for _, name := range names {
		there, err := v.remote.find(ctx, naming.Fold(name))
		switch {
		case err != nil:
			return err
		case there.Secret.Empty():
			missing = append(missing, name)
		case !there.Secret.Equal(content.secrets[naming.Fold(name)].Secret):
			done.Replaced = append(done.Replaced, name)
		}
	}
	if err := done.check(o); err != nil {
		return err
	}
	for _, name := range slices.Concat(missing, done.Replaced) {
		if err := v.remote.Put(ctx, name, content.secrets[naming.Fold(name)].Secret); err != nil {
			return err
		}
	}
	return v.keys.revise(ctx, func(next *payload, _ *key) (bool, error) {
		err := v.takeKeys(next, content, file, done)
		return done.OwnKeys, err
	})
}
