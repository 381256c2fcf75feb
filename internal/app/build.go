package app

import (
	"runtime"
	"runtime/debug"

	"mcp-partner/server"
)

// Build says what this program was made of.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Modified is true where the source differed from the commit.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	// Protocols are the revisions of MCP that are served, newest first.
	Protocols []string `json:"protocol_versions,omitempty"`
}

// version and commit are set by the linker in released builds:
// -X mcp-partner/internal/app.version=1.2.3.
var version, commit string

// BuildInfo reads what the linker or else the Go toolchain has put in.
func BuildInfo() Build {
	b := Build{Version: version, Commit: commit, Go: runtime.Version(), Protocols: server.ProtocolVersions()}
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
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}
