package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// newLogger logs to standard error: standard output belongs to the answer, and
// under serve to the protocol.
func newLogger(to io.Writer, level slog.Level, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, usage("give text or json", "--log-format is neither text nor json")
}

// levelFor is the level that was set, else info for a server, whose log is
// read later, and error for a command, whose answer says what went wrong.
func (f *Factory) levelFor(command *cobra.Command) (slog.Level, error) {
	var level slog.Level
	switch {
	case f.logLevel != "":
		if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
			return 0, usage("give debug, info, warn or error", "--log-level is not a level")
		}
		return level, nil
	case command.Name() == "serve":
		return slog.LevelInfo, nil
	}
	return slog.LevelError, nil
}
