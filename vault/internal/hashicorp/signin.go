package hashicorp

import (
	"bytes"
	"context"
	"strings"

	"github.com/hashicorp/vault/api"

	"mcp-partner/vault/internal/backend"
)

// signIn makes a new session; the caller holds the lock.
func (b *Backend) signIn(ctx context.Context) (*session, error) {
	reader, err := b.newClient(1)
	if err != nil {
		return nil, err
	}
	writer, err := b.newClient(0)
	if err != nil {
		return nil, err
	}
	s := &session{reader: reader, writer: writer}
	secret, err := b.present(ctx, s)
	if err != nil {
		b.secretID = nil // the file may hold a new wrapping by now
		return nil, err
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return nil, unusable("no token at the sign-in")
	}
	s.adopt(secret.Auth.ClientToken)
	if secret.Auth.LeaseDuration > 0 {
		b.keep(reader, secret, func() { b.leave(s) })
	}
	return s, nil
}

func (s *session) adopt(token string) {
	s.reader.SetToken(token)
	s.writer.SetToken(token)
}

func (b *Backend) present(ctx context.Context, s *session) (*api.Secret, error) {
	auth := b.settings.Auth
	if auth.Method == MethodToken {
		return b.presentToken(ctx, s)
	}
	s.own = true
	proof, err := b.proof(ctx, s)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"role": auth.Role, "jwt": proof}
	if auth.Method == MethodAppRole {
		body = map[string]any{"role_id": auth.Role, "secret_id": proof}
	}
	return s.writer.Logical().WriteWithContext(ctx, "auth/"+auth.Mount+"/login", body)
}

// presentToken asks the server what the token in the file is good for.
func (b *Backend) presentToken(ctx context.Context, s *session) (*api.Secret, error) {
	text, err := b.readFile(b.settings.Auth.File, "token file")
	if err != nil {
		return nil, err
	}
	token := string(bytes.TrimSpace(text))
	s.file = text
	s.adopt(token)
	found, err := s.reader.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil, err
	}
	ttl, errTTL := found.TokenTTL()
	renewable, errRenewable := found.TokenIsRenewable()
	if errTTL != nil || errRenewable != nil {
		return nil, unusable("no lifetime of the token")
	}
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: token, LeaseDuration: int(ttl.Seconds()), Renewable: renewable}}, nil
}

func (b *Backend) proof(ctx context.Context, s *session) (string, error) {
	if b.secretID != nil {
		return string(b.secretID), nil
	}
	text, err := b.readFile(b.settings.Auth.File, "file for the sign-in to the vault server")
	if err != nil {
		return "", err
	}
	defer clear(text)
	proof := string(bytes.TrimSpace(text))
	if !b.settings.Auth.Wrapped {
		return proof, nil
	}
	if proof, err = b.unwrap(ctx, s, proof); err == nil {
		b.secretID = []byte(proof)
	}
	return proof, err
}

// unwrap takes the secret ID out of its wrapping, which works once. It looks
// first at what made the wrapping: one that somebody else made would hold the
// secret ID of somebody else's role.
func (b *Backend) unwrap(ctx context.Context, s *session, wrapping string) (string, error) {
	lookup, err := s.reader.Logical().WriteWithContext(ctx, "sys/wrapping/lookup", map[string]any{"token": wrapping})
	if err != nil {
		return "", wrappingProblem(err)
	}
	path, _ := lookup.Data["creation_path"].(string)
	own := "auth/" + b.settings.Auth.Mount + "/role/"
	if !strings.HasPrefix(path, own) || !strings.HasSuffix(path, "/secret-id") {
		return "", backend.Broken("The wrapping token in "+b.settings.Auth.File+" was not made for a secret ID of "+b.settings.Auth.Mount+"; it was not used.",
			"Find out where it came from, then store a new one there.")
	}
	s.writer.SetToken(wrapping)
	defer s.writer.SetToken("")
	secret, err := s.writer.Logical().UnwrapWithContext(ctx, "")
	if err != nil {
		return "", wrappingProblem(err)
	}
	id, _ := secret.Data["secret_id"].(string)
	if id == "" {
		return "", unusable("no secret ID in the wrapping")
	}
	return id, nil
}

func wrappingProblem(err error) error {
	if status(err) != 400 && status(err) != 403 || foreign(err) || passive(err) {
		return err
	}
	return backend.Broken("The wrapping token of the secret ID has expired, or someone has already unwrapped it.",
		"If it was not this program: treat the secret ID as stolen and destroy it on the server. Then put a new wrapping token into the file.")
}
