package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/telemetry"
	"mcp-partner/server"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// ConfigName is the config file in the state directory.
const ConfigName = "config.yaml"

// Settings are what the parts of the program are built from.
type Settings struct {
	// StateDir is where everything is kept. It is empty where no directory is known.
	StateDir string
	// PlatformModes accepts a state directory whose modes the platform sets.
	PlatformModes bool
	// DatabaseURLFile is a file with the URL of the database, or "" for files in the
	// state directory.
	DatabaseURLFile string
	// Log writes to standard error.
	Log *slog.Logger
	// Env looks environment variables up.
	Env config.Env
	// Keys says where the key of the vault is, and whom to ask for its passphrase.
	Keys vault.KeySource
	// Observer counts and traces calls.
	Observer *telemetry.Observer
	// Config is the config file, and Source is where it was read.
	Config config.File
	Source ConfigSource
	// servesHTTP is set for a server with many clients, which may keep more memory.
	ServesHTTP bool
	// PublicURL is the address of a server over HTTP for its clients, without a path.
	PublicURL string
	// Console says that the server has the console.
	Console bool
	// Limits bound runs over many tenants.
	Limits fleet.Limits
	// PECRoles is a file that changes the list of eligible roles, or "".
	PECRoles string
	// Settled replaces the time after which a write without an outcome has ended.
	Settled time.Duration

	// migrating opens a state directory although it was moved, and moving opens it alone.
	migrating, moving bool
	// shared is the database, once it was asked for.
	shared *sharedDatabase
	// givenStateDir is the state directory that the caller chose, or "".
	givenStateDir string
}

// NewSettings returns settings with a silent log.
func NewSettings(env config.Env, prompter vault.Prompter) *Settings {
	return &Settings{Env: env, Keys: vault.KeySource{Terminal: prompter}, Log: slog.New(slog.DiscardHandler), Observer: &telemetry.Observer{RequestID: requestID}}
}

// SetStateDir chooses the state directory; "" stands for that of the platform.
// Without a home the commands that need no directory still work, so the error
// comes with the use.
func (s *Settings) SetStateDir(dir string) {
	s.givenStateDir = dir
	_ = s.Locate()
}

// StateDirectory is the state directory for a command that cannot do without.
func (s *Settings) StateDirectory() (string, error) {
	if err := s.Locate(); err != nil {
		return "", exit.Usage("give --state-dir DIR", "%s", err)
	}
	return s.StateDir, nil
}

// Disk is the state directory on this disk.
func (s *Settings) Disk() disk.Dir {
	where := disk.New(s.StateDir)
	where.PlatformModes = s.PlatformModes
	return where
}

// Getenv is Env where a variable that is not set is empty.
func (s *Settings) Getenv(name string) string {
	value, _ := s.Env(name)
	return value
}

// Locate finds the state directory.
func (s *Settings) Locate() (err error) {
	if s.givenStateDir == "" {
		s.StateDir, err = config.StateDir(runtime.GOOS, s.Env)
		return err
	}
	s.StateDir, err = filepath.Abs(s.givenStateDir)
	return err
}

// ConfigSource is a config file and the settings that it may hold.
type ConfigSource struct {
	Path  string
	Known func() []string
}

// Read reads the file, which has to be there.
func (c ConfigSource) Read() (config.File, error) { return config.Load(c.Path, c.Known()) }

// parse is read for what was read already.
func (c ConfigSource) parse(data []byte) (config.File, error) {
	return config.Parse(c.Path, data, c.Known())
}

func IsDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func requestID(ctx context.Context) string { return tools.RequestOf(ctx).ID }

// Build says what this program was made of.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Date is that of the commit, in RFC 3339.
	Date string `json:"date,omitempty"`
	// Modified is true where the source differed from the commit.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	// Protocols are the revisions of MCP that are served, newest first.
	Protocols []string `json:"protocol_versions,omitempty"`
}

// version, commit and date are set by the linker in released builds:
// -X mcp-partner/internal/app.version=1.2.3.
var version, commit, date string

// BuildInfo reads what the linker or else the Go toolchain has put in.
func BuildInfo() Build {
	b := Build{Version: version, Commit: commit, Date: date, Go: runtime.Version(), Protocols: server.ProtocolVersions()}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "0.0.0-dev"
	}
	if ok && b.Commit == "" {
		b.fromSettings(info.Settings)
	}
	return b
}

func (b *Build) fromSettings(settings []debug.BuildSetting) {
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}
