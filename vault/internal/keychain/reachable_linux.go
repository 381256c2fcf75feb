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
	return backend.Broken("There is no session of a desktop here, and so no keychain: neither DBUS_SESSION_BUS_ADDRESS is set nor $XDG_RUNTIME_DIR/bus there.",
		"Run it inside of the session, or use another backend on a machine without one.")
}
