package keychain

import (
	"net"
	"path/filepath"
	"testing"

	"mcp-partner/schemas/problems"
)

// Without a session the library would start a daemon that outlives the program.
func TestMissingSessionBusStartsNoDaemon(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	for _, runtime := range []string{"", dir} {
		t.Setenv("XDG_RUNTIME_DIR", runtime)
		if err := reachable(); problems.As(err).Code != problems.CodeVaultUnavailable || err == nil {
			t.Errorf("with XDG_RUNTIME_DIR=%q: %v", runtime, err)
		}
	}
	bus, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if err := reachable(); err != nil {
		t.Errorf("with a bus in the runtime folder: %v", err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/somewhere")
	if err := reachable(); err != nil {
		t.Errorf("with an address: %v", err)
	}
}
