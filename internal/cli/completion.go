package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
)

// completeFlags says of each flag of each command what it takes. Only a shell
// that asks needs it.
func completeFlags(deps *cmdutil.Deps, command *cobra.Command) {
	command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		complete := completerOf(deps, flag)
		if complete == nil {
			return
		}
		if err := command.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic("cli: " + err.Error()) // no two commands share a flag
		}
	})
	for _, sub := range command.Commands() {
		completeFlags(deps, sub)
	}
}

// completerOf is nil for flags without a value and for files, which shells know
// themselves.
func completerOf(deps *cmdutil.Deps, flag *pflag.Flag) cmdutil.Completer {
	value, _ := pflag.UnquoteUsage(flag)
	switch {
	case flag.Value.Type() == "bool" || value == "FILE" || value == "DIR":
		return nil
	case flag.Name == "tenant":
		return cmdutil.CompleteOne(deps.TenantNames)
	case flag.Name == "tenants" && flag.Value.Type() != "int":
		return cmdutil.CompleteSeveral(deps.TenantNames)
	case flag.Name == "tool":
		return cmdutil.CompleteOne(cmdutil.ToolNames)
	case flag.Name == "tools":
		return cmdutil.CompleteSeveral(cmdutil.ToolNames)
	case flag.Name == "credential":
		return cmdutil.CompleteOne(deps.CredentialNames)
	case flag.Name == "client":
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return clientfile.Names() })
	case config.ChoicesOf(flag) != nil:
		return cmdutil.CompleteOne(func(*cobra.Command) []string { return config.ChoicesOf(flag) })
	}
	return cobra.NoFileCompletions
}
