package guardtest

import (
	"context"
	"slices"

	"mcp-partner/guard"
)

// PutToken implements TokenStore.
func (m *Store) PutToken(_ context.Context, token guard.Token, limit int, event guard.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := 0
	for _, other := range m.tokens {
		if other.Open(m.now()) {
			open++
		}
	}
	if open >= limit {
		return guard.TooManyTokens(open)
	}
	m.tokens[token.ID] = token
	m.append(event)
	return nil
}

// Token implements TokenStore.
func (m *Store) Token(_ context.Context, id string) (guard.Token, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	token, ok := m.tokens[id]
	return token, ok, nil
}

// Tokens implements TokenStore.
func (m *Store) Tokens(context.Context) ([]guard.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var tokens []guard.Token
	for _, token := range m.tokens {
		tokens = append(tokens, token)
	}
	slices.SortFunc(tokens, func(a, b guard.Token) int { return b.IssuedAt.Compare(a.IssuedAt) })
	return tokens, nil
}

// UseToken implements TokenStore.
func (m *Store) UseToken(_ context.Context, id string, event guard.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	token, ok := m.tokens[id]
	if !ok || !token.Live(m.now()) {
		return false, nil
	}
	token.Used++
	m.tokens[id] = token
	m.append(event)
	return true, nil
}

// RevokeTokens implements TokenStore.
func (m *Store) RevokeTokens(_ context.Context, which guard.TokenSelection, event guard.Event) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	revoked := 0
	for id, token := range m.tokens {
		if !which.Selects(token) || !token.Revocable(m.now()) {
			continue
		}
		token.RevokedAt = m.now()
		m.tokens[id] = token
		event.Detail = guard.RevokedDetail(token)
		m.append(event)
		revoked++
	}
	return revoked, nil
}
