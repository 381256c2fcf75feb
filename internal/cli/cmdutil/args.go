package cmdutil

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// TakeFlagsOnly makes the commands that say nothing of their arguments refuse
// any, and those that do nothing by themselves show their help.
func TakeFlagsOnly(command *cobra.Command) {
	if command.Args == nil {
		command.Args = NoArguments
	}
	if command.RunE == nil {
		command.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
	}
	for _, sub := range command.Commands() {
		TakeFlagsOnly(sub)
	}
}

// Parent builds a command that only holds others.
func Parent(use, short string, commands ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short}
	command.AddCommand(commands...)
	return command
}

// Parent builds one whose commands open the vault.
func (d *Deps) Parent(use, short string, commands ...*cobra.Command) *cobra.Command {
	command := Parent(use, short, commands...)
	d.AddKeyFlags(command.PersistentFlags())
	return command
}

// NoArguments refuses words after a command without repeating them: one of
// them may be a secret that was typed in the wrong place.
func NoArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		return unknownCommand(command, args[0])
	}
	return exit.Usage(Help(command), "%s takes only flags", command.CommandPath())
}

// OneArgument wants the one thing that a command is about.
func OneArgument(what string) cobra.PositionalArgs {
	return Arguments(1, 1, "needs one argument, "+what)
}

// AtMostOneArgument lets the one thing that a command is about be left out.
func AtMostOneArgument(what string) cobra.PositionalArgs {
	return Arguments(0, 1, "takes at most one argument, "+what)
}

// Arguments wants from least to most arguments; wanted says so in words.
func Arguments(least, most int, wanted string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if least <= len(args) && len(args) <= most {
			return nil
		}
		return exit.Usage(Help(command), "%s %s, but got %d", command.CommandPath(), wanted, len(args))
	}
}

// has is the subject and verb of what a command does not have.
func has(command *cobra.Command) string {
	if !command.HasParent() {
		return "there is"
	}
	return command.CommandPath() + " has"
}

func unknownCommand(command *cobra.Command, written string) error {
	var names []string
	where := has(command)
	for _, sub := range command.Commands() {
		if slices.Contains(sub.SuggestFor, written) {
			return exit.Usage(Help(sub), "%s no command %q: use %s", where, written, sub.CommandPath())
		}
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near := schemas.Nearest(written, names); near != "" {
		return exit.Usage(Help(command), "%s no command %q: did you mean %s?", where, untrusted.Sanitize(written), near)
	}
	return exit.Usage(Help(command), "%s no command %q; the commands are %s", where, untrusted.Sanitize(written), strings.Join(names, ", "))
}

func Help(command *cobra.Command) string { return command.CommandPath() + " --help" }

// FlagError words what pflag refused. It names the flag and never its value.
func FlagError(command *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var empty *pflag.ValueRequiredError
	switch {
	case errors.As(err, &missing):
		return unknownFlag(command, missing.GetSpecifiedName())
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return exit.Usage(Help(command), "--%s does not accept that value: use %s", flag.Name, config.Wants(flag))
	case errors.As(err, &empty):
		return exit.Usage(Help(command), "--%s needs a value: use %s", empty.GetSpecifiedName(), config.Wants(empty.GetFlag()))
	}
	return exit.Usage(Help(command), "the flags cannot be read; write them as --name value")
}

func unknownFlag(command *cobra.Command, name string) error {
	names, where := flagNames(command.Flags()), has(command)
	if config.Secretive(name) {
		return exit.Usage("use --secret-stdin, --secret-file or --passphrase-file, or type it at the prompt",
			"there is no flag --%s: every process can read arguments, so a secret is never one", untrusted.Sanitize(name))
	}
	if near := schemas.Nearest(strings.ReplaceAll(name, "_", "-"), names); near != "" {
		return exit.Usage(Help(command), "%s no flag --%s: did you mean --%s?", where, untrusted.Sanitize(name), near)
	}
	return exit.Usage(Help(command), "%s no flag --%s", where, untrusted.Sanitize(name))
}

func flagNames(flags *pflag.FlagSet) []string {
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	return names
}

// Completer is what cobra asks for the words that may stand at a place.
type Completer = func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// CompleteOne offers the names that begin as what was typed.
func CompleteOne(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return beginning(names(command), typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteSeveral does the same behind the last comma.
func CompleteSeveral(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		words := xslices.Map(beginning(names(command), typed[len(before):]), func(name string) string { return before + name })
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// CompleteFirst offers names for the one argument of a command.
func CompleteFirst(names func(*cobra.Command) []string) Completer {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return CompleteOne(names)(command, args, typed)
	}
}

func beginning(names []string, typed string) []string {
	found := xslices.Filter(names, func(name string) bool { return strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) })
	slices.Sort(found)
	return found
}

func ToolNames(*cobra.Command) []string {
	return xslices.Map(schemas.Catalogue(), func(op schemas.Operation) string { return op.Name })
}

// TenantNames are those of the directory. Whatever is wrong with the directory,
// a completion is silent about it.
func (d *Deps) TenantNames(command *cobra.Command) (names []string) {
	d.look(command, func(a *app.App) {
		entries, _ := a.Directory.List()
		names = xslices.Map(entries, func(entry tenants.Entry) string { return entry.Name })
	})
	return names
}

func (d *Deps) CredentialNames(command *cobra.Command) (names []string) {
	d.look(command, func(a *app.App) {
		credentials, _ := a.Directory.Credentials()
		names = xslices.Map(credentials, func(config tenants.CredentialConfig) string { return config.Name })
	})
	return names
}

// look opens the state directory for a completion, if it can be opened.
func (d *Deps) look(command *cobra.Command, at func(*app.App)) {
	if d.Prepare(command, nil) != nil {
		return
	}
	a, err := d.Open(nil)
	if err != nil {
		return
	}
	defer a.Close()
	at(a)
}
