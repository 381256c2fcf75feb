// Package cmdutil has what the commands share: their dependencies, flags,
// arguments, completions, output files and the secrets they read.
package cmdutil

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/telemetry"
	"mcp-partner/tools"
)

// Deps is what every command gets: its streams, and the settings from which
// the parts of the program are built.
type Deps struct {
	IO *term.Streams
	*app.Settings
	global globalFlags
}

type globalFlags struct{ stateDir, configFile, logLevel, logFormat string }

func NewDeps(streams *term.Streams) *Deps {
	return &Deps{IO: streams, Settings: app.NewSettings(streams.Env, Prompter{streams, &sync.Map{}})}
}

// Serving has a passphrase asked for each time: in a server a mistyped one must
// not stay.
func (d *Deps) Serving() { d.Keys.Terminal = Prompter{Streams: d.IO} }

func (d *Deps) AddGlobals(flags *pflag.FlagSet) {
	flags.StringVar(&d.global.stateDir, "state-dir", "", "`DIR` with the vault, the tenant directory and config.yaml")
	flags.BoolVar(&d.PlatformModes, "platform-modes", false, "accept a state directory whose modes the platform sets (fsGroup, WSL)")
	flags.StringVar(&d.global.configFile, "config", "", "config `FILE` (default: config.yaml in the state directory)")
	AddChoice(flags, &d.global.logLevel, "log-level", "lowest `LEVEL` to log, by default info for serve and else error", "", "debug", "info", "warn", "error")
	AddChoice(flags, &d.global.logFormat, "log-format", "`FORMAT` of the log", "text", "json")
	flags.StringVar(&d.PECRoles, "pec-roles", "", "CSV `FILE` with changes to the list of roles for partner earned credit")
	flags.StringVar(&d.DatabaseURLFile, "database-url-file", "", "`FILE` with the URL of a PostgreSQL database for all servers")
	config.Standing(flags, "state-dir", "log-level", "log-format", "pec-roles", "database-url-file")
}

// Prepare finds the settings of a command. It runs before every command, and
// before a completion that looks into the state directory.
func (d *Deps) Prepare(command *cobra.Command, _ []string) error {
	flags := command.Flags()
	strangers, err := d.checkEnv(command.Root())
	if err != nil {
		return exit.Usage(Help(command), "%s", err)
	}
	if err := d.settle(command, flags); err != nil {
		return err
	}
	// Standard output belongs to the answer, and under serve to the protocol.
	d.Log = telemetry.NewLogger(d.IO.Err, telemetry.LogOptions{Level: d.levelFor(command), JSON: d.global.logFormat == "json", Facts: factsOf})
	for _, name := range strangers {
		fmt.Fprintf(d.IO.Err, "mcp-partner: note: the environment variable %s is not a setting and is ignored\n", term.Escape(name))
	}
	return nil
}

// checkEnv checks the environment variables with the program's prefix. Most
// starts have none, and need not gather the flags.
func (d *Deps) checkEnv(root *cobra.Command) (strangers []string, err error) {
	own := slices.DeleteFunc(slices.Clone(d.IO.Environ), func(pair string) bool { return !strings.HasPrefix(pair, config.Prefix) })
	if len(own) == 0 {
		return nil, nil
	}
	return config.CheckEnv(own, AllFlags(root, func(*pflag.Flag) bool { return true }))
}

// settle fills the flags in and finds the state directory.
func (d *Deps) settle(command *cobra.Command, flags *pflag.FlagSet) error {
	if err := config.Apply(flags, d.IO.Env, config.File{}); err != nil {
		return exit.Usage(Help(command), "%s", err)
	}
	var err error
	if d.Config, err = d.loadConfig(command.Root()); err != nil {
		return exit.Usage("correct the file, or give another with --config", "%s", err)
	}
	if err := config.Apply(flags, d.IO.Env, d.Config); err != nil {
		return exit.Usage(Help(command), "%s", err)
	}
	d.SetStateDir(d.global.stateDir)
	return nil
}

// loadConfig reads --config, else config.yaml in the state directory. It never
// looks into the working directory, where anybody may have put a file.
func (d *Deps) loadConfig(root *cobra.Command) (config.File, error) {
	if d.global.configFile != "" {
		d.Source = app.ConfigSource{Path: d.global.configFile, Known: func() []string { return AllFlags(root, config.IsStanding) }}
		return d.Source.Read()
	}
	d.SetStateDir(d.global.stateDir)
	// Where there is no directory to look into, a command that needs one says so.
	if d.Locate() != nil {
		return config.File{}, nil
	}
	d.Source = app.ConfigSource{Path: filepath.Join(d.StateDir, app.ConfigName), Known: func() []string {
		return AllFlags(root, func(flag *pflag.Flag) bool { return config.IsStanding(flag) && flag.Name != "state-dir" })
	}}
	if _, err := os.Lstat(d.Source.Path); errors.Is(err, fs.ErrNotExist) || !app.IsDirectory(d.StateDir) {
		return config.File{}, nil
	}
	return d.Source.Read()
}

// AllFlags lists the names of flags of all commands, each once.
func AllFlags(root *cobra.Command, want func(*pflag.Flag) bool) []string {
	var names []string
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		for _, flags := range []*pflag.FlagSet{command.PersistentFlags(), command.LocalFlags()} {
			flags.VisitAll(func(flag *pflag.Flag) {
				if want(flag) {
					names = append(names, flag.Name)
				}
			})
		}
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return slices.Compact(names)
}

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
func (d *Deps) levelFor(command *cobra.Command) (level slog.Level) {
	usual := map[bool]string{true: "info", false: "error"}[command.Name() == "serve"]
	_ = level.UnmarshalText([]byte(cmp.Or(d.global.logLevel, usual))) // one of the four
	return level
}
