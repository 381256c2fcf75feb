package cmdutil

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/telemetry"
	"mcp-partner/tools"
)

// factsOf is what a line of the log tells about the request it belongs to.
func factsOf(ctx context.Context) []slog.Attr {
	var facts []slog.Attr
	if id := tools.RequestOf(ctx).ID; id != "" {
		facts = append(facts, slog.String("request_id", id))
	}
	if id := telemetry.TraceID(ctx); id != "" {
		facts = append(facts, slog.String("trace_id", id))
	}
	return facts
}

// levelFor is the level that was set, else info for a server, whose log is
// read later, and error for a command, whose answer says what went wrong.
func (d *Deps) levelFor(command *cobra.Command) (slog.Level, error) {
	var level slog.Level
	switch {
	case d.global.logLevel != "":
		if err := level.UnmarshalText([]byte(d.global.logLevel)); err != nil {
			return 0, exit.Usage("give debug, info, warn or error", "--log-level is not a level")
		}
		return level, nil
	case command.Name() == "serve":
		return slog.LevelInfo, nil
	}
	return slog.LevelError, nil
}
