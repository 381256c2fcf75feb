package doctor

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

type doctorOptions struct {
	json, read bool
}

// NewCmdDoctor builds `doctor`.
func NewCmdDoctor(deps *cmdutil.Deps) *cobra.Command {
	options := &doctorOptions{}
	command := &cobra.Command{
		Use:     "doctor",
		Aliases: []string{"status"},
		Short:   "Check everything that a server needs, with a fix for each finding",
		Long: `Check the state directory, the vault and its protection, the tenant directory, and
each credential by one sign-in; the policy, the ledger, freezes and approvers; the
proxy, and TLS and clock of each host that credentials are sent to; the clients of
this user, and the disk. --read also reads the link of each tenant. The command
changes nothing but its notes of when each credential last worked and when it expires.
Each finding names the command that fixes it. The exit code is 1 if a check fails.`,
		Example: `  mcp-partner doctor
  mcp-partner doctor --read
  mcp-partner doctor --json`,
		RunE: func(command *cobra.Command, _ []string) error { return runDoctor(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print {\"checks\":[{name,status,message,fix}]}")
	flags.BoolVar(&options.read, "read", false, "read the link of each tenant too")
	deps.AddKeyFlags(flags)
	return command
}

// The outcomes of a check.
const (
	checkOK   = "ok"
	CheckWarn = "warn"
	CheckFail = "fail"
)

// check is one line of the doctor. Fix is a command, or empty.
type check struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

func runDoctor(ctx context.Context, deps *cmdutil.Deps, o *doctorOptions) error {
	checks := examine(ctx, deps, o)
	for i := range checks {
		if command, ours := strings.CutPrefix(checks[i].Fix, "mcp-partner "); ours {
			checks[i].Fix = deps.Program() + " " + command
		}
	}
	if o.json {
		if err := deps.IO.PrintJSON(map[string][]check{"checks": checks}); err != nil {
			return err
		}
	} else if err := showChecks(deps, checks); err != nil {
		return err
	}
	for _, c := range checks {
		if c.Status == CheckFail {
			return exit.Silent(exit.CodeFailed)
		}
	}
	return nil
}

func showChecks(deps *cmdutil.Deps, checks []check) error {
	u := deps.IO.UI()
	styles := map[string]term.Style{checkOK: term.Good, CheckWarn: term.Warn, CheckFail: term.Bad}
	for _, c := range checks {
		u.Entry(styles[c.Status], map[string]string{checkOK: "ok  ", CheckWarn: "warn", CheckFail: "FAIL"}[c.Status], c.Name, c.Message)
		u.Field("  fix", c.Fix)
	}
	return u.Err
}
