package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/fleet"
	"mcp-partner/internal/config"
	"mcp-partner/internal/telemetry"
)

// configName is the config file in the state directory.
const configName = "config.yaml"

// Factory is what every command gets: its streams, the settings that all
// share, and the log.
type Factory struct {
	IO *Streams
	// StateDir is where everything is kept; known after prepare.
	StateDir string
	// Log writes to standard error; usable after prepare.
	Log *slog.Logger

	stateDir, configFile, logLevel, logFormat string
	// watch is told what calls do.
	watch *telemetry.Observer
	// serving is set by a command that runs until it is told to end.
	serving bool
	// typed keeps passphrases of the vault as long as the command runs.
	typed sync.Map
	// settled replaces the time after which a write without an outcome has ended.
	settled time.Duration
	// file is the config file, and config where it is; known after prepare.
	file   config.File
	config configSource
	// limits bound runs over many tenants.
	limits fleet.Limits
}

func newFactory(streams *Streams) *Factory {
	return &Factory{IO: streams, Log: slog.New(slog.DiscardHandler), watch: newWatch()}
}

func (f *Factory) addGlobals(flags *pflag.FlagSet) {
	flags.StringVar(&f.stateDir, "state-dir", "", "`DIR` that holds the vault, the directory of tenants and config.yaml")
	flags.StringVar(&f.configFile, "config", "", "config `FILE` (default: config.yaml in the state directory)")
	flags.StringVar(&f.logLevel, "log-level", "", "least `LEVEL` that is logged: debug, info, warn or error (default: info for serve, else error)")
	flags.StringVar(&f.logFormat, "log-format", "text", "how standard error is written: `text or json`")
	config.Standing(flags, "state-dir", "log-level", "log-format")
}

// prepare finds the settings of a command. It runs before every command, and
// before a completion that looks into the state directory.
func (f *Factory) prepare(command *cobra.Command, _ []string) error {
	flags := command.Flags()
	strangers, err := f.checkEnv(command.Root())
	if err != nil {
		return usage(help(command), "%s", err)
	}
	if err := f.settle(command, flags); err != nil {
		return err
	}
	level, err := f.levelFor(command)
	if err != nil {
		return err
	}
	if f.Log, err = newLogger(f.IO.Err, level, f.logFormat); err != nil {
		return err
	}
	for _, name := range strangers {
		fmt.Fprintf(f.IO.Err, "mcp-partner: note: environment variable %s names no setting and is ignored\n", escape(name))
	}
	return nil
}

// checkEnv judges the environment's variables that bear the program's prefix.
// Where there is none, as in most starts, the flags need not be gathered.
func (f *Factory) checkEnv(root *cobra.Command) (strangers []string, err error) {
	own := slices.DeleteFunc(slices.Clone(f.IO.Environ), func(pair string) bool { return !strings.HasPrefix(pair, config.Prefix) })
	if len(own) == 0 {
		return nil, nil
	}
	return config.CheckEnv(own, allFlags(root, func(*pflag.Flag) bool { return true }))
}

// settle fills the flags in and finds the state directory.
func (f *Factory) settle(command *cobra.Command, flags *pflag.FlagSet) error {
	if err := config.Apply(flags, f.IO.Env, config.File{}); err != nil {
		return usage(help(command), "%s", err)
	}
	var err error
	if f.file, err = f.loadConfig(command.Root()); err != nil {
		return usage("correct the file, or give another with --config", "%s", err)
	}
	if err := config.Apply(flags, f.IO.Env, f.file); err != nil {
		return usage(help(command), "%s", err)
	}
	_ = f.locate() // a command that needs the directory asks again, and says so
	return nil
}

// stateDirectory is the state directory for a command that cannot do without.
func (f *Factory) stateDirectory() (string, error) {
	if err := f.locate(); err != nil {
		return "", usage("give --state-dir DIR", "%s", err)
	}
	return f.StateDir, nil
}

// loadConfig reads --config, else config.yaml in the state directory. It never
// looks into the working directory, where anybody may have put a file.
func (f *Factory) loadConfig(root *cobra.Command) (config.File, error) {
	if f.configFile != "" {
		f.config = configSource{f.configFile, root, config.IsStanding}
		return f.config.read()
	}
	// Where there is no directory to look into, a command that needs one says so.
	if f.locate() != nil {
		return config.File{}, nil
	}
	f.config = configSource{filepath.Join(f.StateDir, configName), root, func(flag *pflag.Flag) bool {
		return config.IsStanding(flag) && flag.Name != "state-dir"
	}}
	if _, err := os.Lstat(f.config.path); errors.Is(err, fs.ErrNotExist) || !isDirectory(f.StateDir) {
		return config.File{}, nil
	}
	return f.config.read()
}

// configSource is a config file and the flags that it may set.
type configSource struct {
	path  string
	root  *cobra.Command
	known func(*pflag.Flag) bool
}

// read reads the file, which has to be there.
func (c configSource) read() (config.File, error) {
	return config.Load(c.path, allFlags(c.root, c.known))
}

// parse is read for what was read already.
func (c configSource) parse(data []byte) (config.File, error) {
	return config.Parse(c.path, data, allFlags(c.root, c.known))
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// locate settles the state directory. Without a home the commands that need
// none still work, so the error comes with the use.
func (f *Factory) locate() error {
	if f.stateDir == "" {
		dir, err := config.StateDir(runtime.GOOS, f.IO.Env)
		f.StateDir = dir
		return err
	}
	dir, err := filepath.Abs(f.stateDir)
	f.StateDir = dir
	return err
}

// allFlags lists the names of flags of all commands, each once.
func allFlags(root *cobra.Command, want func(*pflag.Flag) bool) []string {
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
