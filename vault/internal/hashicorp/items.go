package hashicorp

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/vault/api"

	"mcp-partner/vault/internal/backend"
)

// The fields of an item. People write value.
const (
	fieldText    = "value"
	fieldBytes   = "value_base64"
	fieldExpires = "expires_at"
)

// Get implements backend.Backend.
func (b *Backend) Get(ctx context.Context, name string) (item backend.Item, err error) {
	err = b.do(ctx, "reading the secret "+name, func(ctx context.Context, s *session) error {
		found, err := s.reader.KVv2(b.settings.Mount).Get(ctx, b.path(name))
		if errors.Is(err, api.ErrSecretNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if meta := found.VersionMetadata; meta != nil { // also of a version that was deleted
			item.Version, item.UpdatedAt = strconv.Itoa(meta.Version), meta.CreatedTime
		}
		if found.Data == nil {
			return nil
		}
		if text, ok := found.Data[fieldExpires].(string); ok {
			item.ExpiresAt, _ = time.Parse(time.RFC3339, text) // a date that cannot be read is not known
		}
		item.Value, err = valueOf(found.Data)
		return err
	})
	return item, err
}

func (b *Backend) path(name string) string { return b.settings.Path + "/" + name }

// valueOf reads a value, which may be no text: a certificate with its key.
func valueOf(data map[string]any) ([]byte, error) {
	if text, ok := data[fieldText].(string); ok && text != "" {
		return []byte(text), nil
	}
	if text, ok := data[fieldBytes].(string); ok && text != "" {
		if value, err := base64.StdEncoding.DecodeString(text); err == nil {
			return value, nil
		}
	}
	return nil, unusable("an item without a field \"value\"")
}

// Put implements backend.Backend, by the engine's own check-and-set.
func (b *Backend) Put(ctx context.Context, name string, value []byte, version string) error {
	fields := map[string]any{fieldText: string(value)}
	if !utf8.Valid(value) {
		fields = map[string]any{fieldBytes: base64.StdEncoding.EncodeToString(value)}
	}
	expected := 0
	if version != "" {
		var err error
		if expected, err = strconv.Atoi(version); err != nil {
			return unusable("a version that is not a number")
		}
	}
	return b.do(ctx, "storing the secret "+name, func(ctx context.Context, s *session) error {
		_, err := s.writer.KVv2(b.settings.Mount).Put(ctx, b.path(name), fields, api.WithCheckAndSet(expected))
		if status(err) == 400 && says(err, "check-and-set") {
			return backend.Moved(name)
		}
		return err
	})
}

// Delete implements backend.Backend. It removes all versions: a secret that was
// removed is not to be brought back by an undelete.
func (b *Backend) Delete(ctx context.Context, name string) error {
	return b.do(ctx, "removing the secret "+name, func(ctx context.Context, s *session) error {
		return s.writer.KVv2(b.settings.Mount).DeleteMetadata(ctx, b.path(name))
	})
}

// List implements backend.Backend.
func (b *Backend) List(ctx context.Context) ([]string, error) {
	var names []string
	err := b.do(ctx, "listing the secrets", func(ctx context.Context, s *session) error {
		found, err := s.reader.Logical().ListWithContext(ctx, b.settings.Mount+"/metadata/"+b.settings.Path)
		if err != nil || found == nil {
			return err
		}
		keys, ok := found.Data["keys"].([]any)
		if !ok {
			return unusable("no list of names")
		}
		names = names[:0]
		for _, key := range keys {
			if name, ok := key.(string); ok && !strings.HasSuffix(name, "/") {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}
