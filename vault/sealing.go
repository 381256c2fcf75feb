package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

// decrypt tries the key that opened the vault before, so that the user is asked
// only once, and then the source.
func (f *FileStore) decrypt(ctx context.Context, sealedFile []byte) (*key, *payload, error) {
	f.mu.Lock()
	before := f.state
	f.mu.Unlock()
	if before != nil {
		if content, err := f.unseal(before.key, sealedFile); err == nil {
			return before.key, content, nil
		}
	}
	k, err := f.source.given(ctx, sealedFile, "Passphrase of the vault "+f.disk.File(vaultName)+": ", f.cost)
	if k == nil && err == nil {
		k, err = providedKey(ctx, f.provider)
	}
	if err != nil {
		return nil, nil, err
	}
	content, err := f.unseal(k, sealedFile)
	return k, content, err
}

// unseal decrypts and decodes. Which of the messages comes tells a wrong key
// from a damaged file as far as age can tell them apart.
func (f *FileStore) unseal(k *key, sealedFile []byte) (*payload, error) {
	plainText, mismatch, err := decryptAge(k, sealedFile)
	defer clear(plainText)
	switch {
	case mismatch:
		return nil, f.wrongKey(k, sealedFile)
	case err != nil:
		return nil, corrupt(f.disk, vaultName, err.Error())
	}
	content, err := decodePayload(plainText)
	if err != nil {
		return nil, corrupt(f.disk, vaultName, "it was decrypted, but "+problems.Clause(err))
	}
	return content, nil
}

// decryptAge reports whether the file is for other keys than this one. Its other
// errors say what is wrong with the file.
func decryptAge(k *key, sealedFile []byte) (plainText []byte, mismatch bool, err error) {
	reader, err := age.Decrypt(bytes.NewReader(sealedFile), k.identities...)
	if _, mismatch := errors.AsType[*age.NoIdentityMatchError](err); mismatch {
		return nil, true, err
	}
	if err != nil {
		return nil, false, errors.New("its header is damaged, or it is not encrypted with age")
	}
	plainText, err = io.ReadAll(io.LimitReader(reader, disk.MaxFileBytes))
	if err != nil {
		err = errors.New("its content is damaged or cut off")
	}
	return plainText, false, err
}

func (f *FileStore) wrongKey(k *key, sealedFile []byte) error {
	protected, flag := "an age identity", "--identity-file"
	if wantsPassphrase(sealedFile) {
		protected, flag = "a passphrase", "--passphrase-file"
	}
	hint := "Nothing was changed. Check the vault with its own key"
	if seen, err := f.disk.Stat(vaultName + disk.PreviousMark); err == nil && !seen.Missing() {
		hint += "; if that does not open it either, the file is damaged: restore its previous version"
	}
	return problems.New(problems.CodeVaultCorrupt,
		fmt.Sprintf("%s does not open %s, which is protected by %s: the key is a different one, or the head of the file is damaged.",
			upper(k.what), f.disk.File(vaultName), protected),
		problems.WithCommand(hint+".", "mcp-partner doctor %s FILE", flag))
}

func upper(text string) string { return string(bytes.ToUpper([]byte(text[:1]))) + text[1:] }

func encryptJSON(content any, audience []age.Recipient) ([]byte, error) {
	plainText, err := json.Marshal(content)
	defer clear(plainText)
	if err != nil {
		return nil, err
	}
	var sealedFile bytes.Buffer
	writer, err := age.Encrypt(&sealedFile, audience...)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(plainText); err != nil {
		return nil, err
	}
	err = writer.Close()
	return sealedFile.Bytes(), err
}
