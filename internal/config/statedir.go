package config

import (
	"errors"
	"path/filepath"
)

// appName is the last part of the state directory's path.
const appName = "mcp-partner"

// StateDir returns the default state directory: on Linux and other systems with
// the XDG convention $XDG_STATE_HOME/mcp-partner, which is
// ~/.local/state/mcp-partner when unset; on macOS
// ~/Library/Application Support/mcp-partner; on Windows %AppData%\mcp-partner.
// The error names the variable if no home is known.
func StateDir(goos string, env Env) (string, error) {
	switch goos {
	case "windows":
		return under(env, "AppData")
	case "darwin", "ios":
		return under(env, "HOME", "Library", "Application Support")
	}
	// The XDG specification ignores relative paths.
	if dir, _ := env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, appName), nil
	}
	return under(env, "HOME", ".local", "state")
}

func under(env Env, variable string, parts ...string) (string, error) {
	base, _ := env(variable)
	if !filepath.IsAbs(base) {
		return "", errors.New("no state directory: " + variable + " is not set to an absolute path")
	}
	return filepath.Join(append(append([]string{base}, parts...), appName)...), nil
}
