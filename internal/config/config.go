// Package config finds the value of a setting: the flag if it was given, else
// the environment variable, else the config file, else the flag's default.
//
// Every flag NAME has a variable MCP_PARTNER_NAME. The config file holds
// standing settings only, marked by [Standing]: what one command does to one
// tenant is not a setting. No flag, variable or key takes a secret.
package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
)

// Prefix begins the name of every environment variable of this program.
const Prefix = "MCP_PARTNER_"

// ListType is the type of flags that take several values.
const ListType = "LIST"

// The annotations of flags. Apply sets filled.
const (
	standing = "mcp-partner/standing"
	typed    = "mcp-partner/typed"
	filled   = "mcp-partner/filled"
	choices  = "mcp-partner/choices"
)

// Env looks an environment variable up, as os.LookupEnv does.
type Env func(name string) (value string, ok bool)

// EnvName returns the variable of a flag: MCP_PARTNER_ALLOW_WRITES for
// allow-writes.
func EnvName(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Standing marks flags that the config file may set.
func Standing(flags *pflag.FlagSet, names ...string) { annotate(flags, standing, names) }

// Typed marks flags without a variable: those that say where a stored credential
// is sent, which a forgotten variable must not change.
func Typed(flags *pflag.FlagSet, names ...string) { annotate(flags, typed, names) }

func annotate(flags *pflag.FlagSet, mark string, names []string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, mark, []string{"true"}); err != nil {
			panic("config: " + err.Error()) // a flag that does not exist
		}
	}
}

// Choices names the values of a flag, for its help, for completions and for who
// gives another one.
func Choices(flags *pflag.FlagSet, name string, values ...string) {
	flag := flags.Lookup(name)
	flag.Usage += " (" + orList(values)
	if flag.DefValue != "" {
		flag.Usage += "; default " + flag.DefValue
		flag.DefValue = "" // pflag would name it again
	}
	flag.Usage += ")"
	if err := flags.SetAnnotation(name, choices, values); err != nil {
		panic("config: " + err.Error()) // a flag that does not exist
	}
}

// ChoicesOf returns the values of a flag that takes only some, else nil.
func ChoicesOf(flag *pflag.Flag) []string { return flag.Annotations[choices] }

func orList(values []string) string {
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// IsStanding reports whether the config file may set the flag.
func IsStanding(flag *pflag.Flag) bool { return flag.Annotations[standing] != nil }

// IsTyped reports whether no environment variable sets the flag.
func IsTyped(flag *pflag.Flag) bool {
	return flag.Annotations[typed] != nil || slices.Contains([]string{"help", "version"}, flag.Name)
}

// WasTyped reports whether one of the flags is on the command line.
func WasTyped(flags *pflag.FlagSet, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		flag := flags.Lookup(name)
		return flag != nil && flag.Changed && flag.Annotations[filled] == nil
	})
}

// Apply gives each flag that was not typed the value of its variable or, for a
// standing one, of the file. An empty variable counts as unset. The error
// names the variable or key and never the value, which may be a misplaced secret.
func Apply(flags *pflag.FlagSet, env Env, file File) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		if failed == nil && !flag.Changed {
			failed = applyOne(flags, flag, env, file)
		}
	})
	return failed
}

func applyOne(flags *pflag.FlagSet, flag *pflag.Flag, env Env, file File) error {
	if value, ok := env(EnvName(flag.Name)); ok && value != "" && !IsTyped(flag) {
		return set(flags, flag, value, "environment variable "+EnvName(flag.Name))
	}
	if value, ok := file.values[flag.Name]; ok && IsStanding(flag) {
		return set(flags, flag, value, "key "+flag.Name+" in "+file.path)
	}
	return nil
}

// set assigns through the flag set, so that the flag counts as changed.
func set(flags *pflag.FlagSet, flag *pflag.Flag, value, where string) error {
	if flags.Set(flag.Name, value) == nil {
		annotate(flags, filled, []string{flag.Name})
		return nil
	}
	return fmt.Errorf("%s has a value that --%s does not accept: use %s", where, flag.Name, Wants(flag))
}

// Wants describes the values of a flag.
func Wants(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case ListType:
		return "values separated by commas, none of them empty"
	case "time":
		return "a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00Z"
	case "duration":
		return "a duration such as 50ms or 2s"
	case "func":
		return "the path of a FILE"
	case "float64":
		return "a number"
	}
	if values := ChoicesOf(flag); values != nil {
		return orList(values)
	}
	name, _ := pflag.UnquoteUsage(flag)
	return name
}

// CheckEnv refuses a variable that almost matches a flag, because a misspelt bound
// would not bind, or that looks like a secret. It returns other unknown variables
// with Prefix for a warning. Environ has the form of os.Environ, flags are the
// names of all flags.
func CheckEnv(environ, flags []string) (strangers []string, err error) {
	names := xslices.Map(flags, EnvName)
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		bare, ours := strings.CutPrefix(name, Prefix)
		near := schemas.Nearest(strings.ToLower(strings.ReplaceAll(bare, "_", "-")), flags)
		switch {
		case !ours:
		case slices.Contains(names, name):
			if _, err := strconv.ParseBool(value); value != "" && err != nil && speaksOfSecrets(name) && !strings.HasSuffix(name, "_FILE") {
				return nil, fmt.Errorf("the environment variable %s must be true or false: %s", name, noSecrets)
			}
		case speaksOfSecrets(name):
			return nil, fmt.Errorf("environment variable %s: %s", name, noSecrets)
		case near != "":
			return nil, fmt.Errorf("environment variable %s is not known: did you mean %s?", untrusted.Sanitize(name), EnvName(near))
		default:
			strangers = append(strangers, name)
		}
	}
	return strangers, nil
}

// noSecrets says where a secret belongs that was given elsewhere.
const noSecrets = "secrets are read only from standard input, a prompt or a file"

// speaksOfSecrets is Secretive for a variable, with a match anywhere.
func speaksOfSecrets(name string) bool {
	return slices.ContainsFunc([]string{"SECRET", "PASSPHRASE", "PASSWORD"}, func(word string) bool { return strings.Contains(strings.ToUpper(name), word) }) || Secretive(name)
}

// unknownKey reports a key that there is not, with the nearest known one.
func unknownKey(name string, known []string) error {
	if Secretive(name) {
		return fmt.Errorf("key %s: %s", name, noSecrets)
	}
	text := "key " + untrusted.Sanitize(name) + " is not known"
	if near := schemas.Nearest(name, known); near != "" {
		text += ": did you mean " + near + "?"
	}
	return errors.New(text)
}

// Secretive reports whether a name is that of a secret. tls-key is the usual name
// of a file.
func Secretive(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if strings.HasSuffix(name, "tls-key") {
		return false
	}
	return slices.ContainsFunc([]string{"secret", "password", "passphrase", "token", "key"}, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

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
