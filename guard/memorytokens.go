package guard

import (
	"context"
	"slices"
)

// PutToken implements TokenStore.
func (m *MemoryStore) PutToken(_ context.Context, token Token, limit int, event Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := 0
	for _, other := range m.tokens {
		if other.Open(m.now()) {
			open++
		}
	}
	if open >= limit {
		return TooManyTokens(open)
	}
	m.tokens[token.ID] = token
	m.append(event)
	return nil
}

// Token implements TokenStore.
func (m *MemoryStore) Token(_ context.Context, id string) (Token, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	token, ok := m.tokens[id]
	return token, ok, nil
}

// Tokens implements TokenStore.
func (m *MemoryStore) Tokens(context.Context) ([]Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var tokens []Token
	for _, token := range m.tokens {
		tokens = append(tokens, token)
	}
	slices.SortFunc(tokens, func(a, b Token) int { return b.IssuedAt.Compare(a.IssuedAt) })
	return tokens, nil
}

// UseToken implements TokenStore.
func (m *MemoryStore) UseToken(_ context.Context, id string, event Event) (bool, error) {
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
func (m *MemoryStore) RevokeTokens(_ context.Context, which TokenSelection, event Event) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	revoked := 0
	for id, token := range m.tokens {
		if !which.Selects(token) || !token.Revocable(m.now()) {
			continue
		}
		token.RevokedAt = m.now()
		m.tokens[id] = token
		event.Detail = RevokedDetail(token)
		m.append(event)
		revoked++
	}
	return revoked, nil
}
