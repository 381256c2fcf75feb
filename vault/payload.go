package vault

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
)

// payloadVersion is the version of what is inside of the encrypted file.
const payloadVersion = 1

// payload is the content of a vault. It is never changed once others see it.
type payload struct {
	// generation rises by one with every write.
	generation uint64
	secrets    map[string]Stored // by folded name
	// recipients can open the vault; empty where one key alone can.
	recipients []Recipient
}

type payloadFile struct {
	Version    int             `json:"version"`
	Generation uint64          `json:"generation"`
	Secrets    []payloadSecret `json:"secrets"`
	Recipients []Recipient     `json:"recipients,omitempty"`
}

type payloadSecret struct {
	Name      string    `json:"name"`
	Value     []byte    `json:"value"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (p *payload) file() payloadFile {
	file := payloadFile{Version: payloadVersion, Generation: p.generation, Secrets: make([]payloadSecret, 0, len(p.secrets)), Recipients: p.recipients}
	for _, s := range p.secrets {
		file.Secrets = append(file.Secrets, payloadSecret{s.Name, sealed.Bytes(s.Secret), s.UpdatedAt})
	}
	slices.SortFunc(file.Secrets, func(a, b payloadSecret) int { return cmp.Compare(a.Name, b.Name) })
	return file
}

// decodePayload reads what was decrypted. Its errors hold no part of it.
func decodePayload(data []byte) (*payload, error) {
	var file payloadFile
	if err := disk.DecodeVersioned(data, payloadVersion, &file, &file.Version); err != nil {
		return nil, err
	}
	return file.payload()
}

func (file payloadFile) payload() (*payload, error) {
	if file.Generation == 0 {
		return nil, errors.New("it has no generation number")
	}
	p := &payload{generation: file.Generation, secrets: make(map[string]Stored, len(file.Secrets)), recipients: file.Recipients}
	if _, err := p.audience(&key{}); err != nil || len(p.recipients) > maxRecipients {
		return nil, errors.New("its list of recipients is malformed")
	}
	for i, s := range file.Secrets {
		if err := p.adopt(s); err != nil {
			return nil, fmt.Errorf("secret %d in it %w", i+1, err)
		}
	}
	return p, nil
}

func (p *payload) adopt(s payloadSecret) error {
	if naming.Check("secret name", s.Name) != nil {
		return errors.New("has a malformed name")
	}
	if _, taken := p.secrets[naming.Fold(s.Name)]; taken {
		return errors.New("appears twice")
	}
	if len(s.Value) == 0 || len(s.Value) > MaxSecretBytes {
		return errors.New("is empty or too large")
	}
	p.secrets[naming.Fold(s.Name)] = Stored{Name: s.Name, Secret: sealed.Seal(s.Value), UpdatedAt: s.UpdatedAt}
	return nil
}

func (p *payload) next() *payload {
	return &payload{generation: p.generation + 1, secrets: maps.Clone(p.secrets), recipients: slices.Clone(p.recipients)}
}

func (p *payload) names() []string {
	names := make([]string, 0, len(p.secrets))
	for _, s := range p.secrets {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}
