package app

import (
	"strings"
	"testing"
)

func TestAccountNamesTheUser(t *testing.T) {
	t.Parallel()
	if name := Account(); !strings.HasSuffix(name, ")") || strings.HasPrefix(name, " ") {
		t.Errorf("account is %q", name)
	}
}
