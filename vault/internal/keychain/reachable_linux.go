package keychain

import (
	"io/fs"
	"os"
	"path/filepath"

	"mcp-partner/vault/internal/backend"
)

// reachable looks for the bus of a session first. Without one, the library
// would start a daemon of its own, which outlives this program and finds no
// keychain.
func reachable() error {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		if info, err := os.Stat(filepath.Join(dir, "bus")); err == nil && info.Mode()&fs.ModeSocket != 0 {
			return nil
		}
	}
	return backend.Broken("There is no desktop session, and so no keychain: DBUS_SESSION_BUS_ADDRESS is not set and $XDG_RUNTIME_DIR/bus does not exist.",
		"Run it inside a desktop session, or use another backend.")
}
