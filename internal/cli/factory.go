package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/config"
)

// Factory is what every command gets: its streams, and the settings from which
// the parts of the program are built.
type Factory struct {
	IO *Streams
	*Settings
	global globalFlags
}

// globalFlags are the flags of every command.
type globalFlags struct{ stateDir, configFile, logLevel, logFormat string }

func newFactory(streams *Streams) *Factory {
	return &Factory{IO: streams, Settings: newSettings(streams.Env, prompter{streams, &sync.Map{}})}
}

// serving has a passphrase asked for each time: in a server a mistyped one must
// not stay.
func (f *Factory) serving() { f.Prompter = prompter{streams: f.IO} }

func (f *Factory) addGlobals(flags *pflag.FlagSet) {
	flags.StringVar(&f.global.stateDir, "state-dir", "", "`DIR` that holds the vault, the directory of tenants and config.yaml")
	flags.StringVar(&f.global.configFile, "config", "", "config `FILE` (default: config.yaml in the state directory)")
	flags.StringVar(&f.global.logLevel, "log-level", "", "least `LEVEL` that is logged: debug, info, warn or error (default: info for serve, else error)")
	flags.StringVar(&f.global.logFormat, "log-format", "text", "how standard error is written: `text or json`")
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
	if f.Log, err = newLogger(f.IO.Err, level, f.global.logFormat); err != nil {
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
	if f.Config, err = f.loadConfig(command.Root()); err != nil {
		return usage("correct the file, or give another with --config", "%s", err)
	}
	if err := config.Apply(flags, f.IO.Env, f.Config); err != nil {
		return usage(help(command), "%s", err)
	}
	f.setStateDir(f.global.stateDir)
	return nil
}

// loadConfig reads --config, else config.yaml in the state directory. It never
// looks into the working directory, where anybody may have put a file.
func (f *Factory) loadConfig(root *cobra.Command) (config.File, error) {
	if f.global.configFile != "" {
		f.Source = configSource{f.global.configFile, func() []string { return allFlags(root, config.IsStanding) }}
		return f.Source.read()
	}
	f.setStateDir(f.global.stateDir)
	// Where there is no directory to look into, a command that needs one says so.
	if f.locate() != nil {
		return config.File{}, nil
	}
	f.Source = configSource{filepath.Join(f.StateDir, configName), func() []string {
		return allFlags(root, func(flag *pflag.Flag) bool { return config.IsStanding(flag) && flag.Name != "state-dir" })
	}}
	if _, err := os.Lstat(f.Source.path); errors.Is(err, fs.ErrNotExist) || !isDirectory(f.StateDir) {
		return config.File{}, nil
	}
	return f.Source.read()
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
