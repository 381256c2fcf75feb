package serve

import (
	"strings"
	"testing"
	"time"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token, b := newBearer(func() time.Time { return now })
	who, err := b.Authenticate(t.Context(), token)
	if caller := string(who.Caller); err != nil || !strings.HasPrefix(caller, "http:") || strings.Contains(caller, token[:8]) {
		t.Errorf("caller %q, %v", caller, err)
	}
	if other, _ := newBearer(func() time.Time { return now }); other == token {
		t.Error("two starts made the same token")
	}
	now = now.Add(bearerLife - time.Second)
	if _, err := b.Authenticate(t.Context(), token); err != nil {
		t.Error("the token ended before its time")
	}
	now = now.Add(time.Second)
	if _, err := b.Authenticate(t.Context(), token); err == nil {
		t.Error("the token outlived its time")
	}
	if _, err := who.Revalidate(); err == nil {
		t.Error("what was called with the token goes on when it has ended")
	}
}
