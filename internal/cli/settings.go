package cli

import (
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/internal/config"
	"mcp-partner/internal/telemetry"
	"mcp-partner/vault"
)

// configName is the config file in the state directory.
const configName = "config.yaml"

// Settings are what the parts of the program are built from.
type Settings struct {
	// StateDir is where everything is kept. It is empty where no directory is known.
	StateDir string
	// Log writes to standard error.
	Log *slog.Logger
	// Env looks environment variables up.
	Env config.Env
	// Prompter asks for the passphrase of the vault.
	Prompter vault.Prompter
	// Observer counts and traces calls.
	Observer *telemetry.Observer
	// Config is the config file, and Source is where it was read.
	Config config.File
	Source configSource
	// servesHTTP is set for a server with many clients, which may keep more memory.
	servesHTTP bool
	// Limits bound runs over many tenants.
	Limits fleet.Limits
	// Settled replaces the time after which a write without an outcome has ended.
	Settled time.Duration

	// givenStateDir is the state directory that the caller chose, or "".
	givenStateDir string
}

// newSettings logs and counts nothing until it is told to.
func newSettings(env config.Env, prompter vault.Prompter) *Settings {
	return &Settings{Env: env, Prompter: prompter, Log: slog.New(slog.DiscardHandler), Observer: newWatch()}
}

// setStateDir chooses the state directory; "" stands for that of the platform.
// Without a home the commands that need no directory still work, so the error
// comes with the use.
func (s *Settings) setStateDir(dir string) {
	s.givenStateDir = dir
	_ = s.locate()
}

// stateDirectory is the state directory for a command that cannot do without.
func (s *Settings) stateDirectory() (string, error) {
	if err := s.locate(); err != nil {
		return "", usage("give --state-dir DIR", "%s", err)
	}
	return s.StateDir, nil
}

func (s *Settings) locate() (err error) {
	if s.givenStateDir == "" {
		s.StateDir, err = config.StateDir(runtime.GOOS, s.Env)
		return err
	}
	s.StateDir, err = filepath.Abs(s.givenStateDir)
	return err
}

// configSource is a config file and the settings that it may hold.
type configSource struct {
	path  string
	known func() []string
}

// read reads the file, which has to be there.
func (c configSource) read() (config.File, error) { return config.Load(c.path, c.known()) }

// parse is read for what was read already.
func (c configSource) parse(data []byte) (config.File, error) {
	return config.Parse(c.path, data, c.known())
}
