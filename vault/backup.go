package vault

import (
	"context"
	"encoding/json"
	"time"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

const backupVersion = 1

// BackupInfo says what a backup holds. It names secrets and shows none.
type BackupInfo struct {
	MadeAt     time.Time `json:"made_at"`
	Backend    Backend   `json:"backend"`
	Generation uint64    `json:"generation"`
	// Secrets are the names of those in it; secrets that are elsewhere stay there.
	Secrets []string `json:"secrets"`
	// Keys is how many of the program's own keys are in it.
	Keys int `json:"keys"`
	// Entries is the number that the program's counter had: how many entries the
	// ledger, which is not in it, has at least.
	Entries int64 `json:"entries"`
	// Directory is true where the tenants are in it.
	Directory bool `json:"directory"`
}

type backupFile struct {
	payloadFile
	MadeAt    time.Time       `json:"made_at"`
	Settings  Settings        `json:"settings"`
	Counter   int64           `json:"counter"`
	Directory json.RawMessage `json:"directory,omitempty"`
}

func (f *backupFile) info() BackupInfo {
	info := BackupInfo{MadeAt: f.MadeAt, Backend: f.Settings.Backend, Generation: f.Generation, Entries: f.Counter, Directory: f.Directory != nil, Secrets: []string{}}
	for _, s := range f.Secrets {
		if isInternal(s.Name) {
			info.Keys++
		} else {
			info.Secrets = append(info.Secrets, s.Name)
		}
	}
	return info
}

// Tenants is the directory of tenants, which a backup takes along.
type Tenants interface {
	// Export returns the directory as JSON, nil if it is missing.
	Export() ([]byte, error)
	// Import puts it where there is no directory and reports whether it did. It
	// returns a CodeVaultCorrupt problem for a directory that cannot be read.
	Import(ctx context.Context, directory []byte) (bool, error)
}

// Backup returns an encrypted copy of what the state directory holds: secrets,
// the program's own keys, tenants and settings, and not the ledger, of which an
// older copy must not take the place of a newer one. It opens for the recipients,
// which are age public keys, or with the passphrase of the key source. Problems:
// those of Open, CodeInvalidArgument where both are given.
func (v *Vault) Backup(ctx context.Context, recipients []string, key KeySource, tenants Tenants) ([]byte, BackupInfo, error) {
	state, err := v.keys.open(ctx)
	if err != nil {
		return nil, BackupInfo{}, err
	}
	file, err := v.gather(ctx, state, tenants)
	if err != nil {
		return nil, BackupInfo{}, err
	}
	audience, err := backupAudience(ctx, recipients, key, v.keys.cost)
	if err != nil {
		return nil, BackupInfo{}, err
	}
	sealedFile, err := encryptJSON(file, audience)
	if err != nil {
		return nil, BackupInfo{}, problems.New(problems.CodeInternal, "The backup cannot be encrypted; nothing was written.")
	}
	return sealedFile, file.info(), nil
}

func (v *Vault) gather(ctx context.Context, state *openVault, tenants Tenants) (*backupFile, error) {
	counter, err := v.Keyring().Counter(ctx)
	if err != nil {
		return nil, err
	}
	file := &backupFile{payloadFile: state.payload.file(), MadeAt: time.Now().UTC().Truncate(time.Second), Settings: v.settings, Counter: counter}
	file.Version = backupVersion
	file.Directory, err = tenants.Export()
	return file, err
}

func backupAudience(ctx context.Context, recipients []string, source KeySource, cost int) ([]age.Recipient, error) {
	switch {
	case len(recipients) > 0 && source.PassphraseFile != "":
		return nil, problems.InvalidArgument("Recipients and a passphrase cannot be combined: choose one for the backup.")
	case len(recipients) > 0:
		return parseRecipients(recipients)
	}
	source.Ask = source.PassphraseFile == ""
	k, err := source.fresh(ctx, "backup", cost)
	if err != nil {
		return nil, err
	}
	return []age.Recipient{k.recipient}, nil
}

// unlockBackup decrypts a backup. What comes out is checked as strictly as a vault.
func unlockBackup(ctx context.Context, source KeySource, sealedFile []byte) (*backupFile, error) {
	k, err := source.given(ctx, sealedFile, "Passphrase of the backup: ", workFactor)
	switch {
	case err != nil:
		return nil, err
	case k == nil:
		return nil, problems.InvalidArgument("This backup is for an age identity, or it is not a backup: give the identity file.")
	}
	plainText, mismatch, err := decryptAge(k, sealedFile)
	defer clear(plainText)
	switch {
	case mismatch:
		return nil, brokenBackup(upper(k.what) + " does not open it, or its head is damaged")
	case err != nil:
		return nil, brokenBackup(err.Error())
	}
	file := &backupFile{}
	if err := disk.DecodeVersioned(plainText, backupVersion, file, &file.Version); err != nil {
		return nil, brokenBackup("it was decrypted, but " + problems.Clause(err))
	}
	return file, nil
}

func brokenBackup(what string) error {
	return problems.New(problems.CodeVaultCorrupt, "The backup cannot be used: "+what+".",
		problems.WithHint("Nothing was changed. Check the key, or use another copy of the backup."))
}
