package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type doctorOptions struct {
	json, read bool
	keys       keyOptions
}

// newDoctor builds `doctor`.
func newDoctor(f *Factory) *cobra.Command {
	options := &doctorOptions{}
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check the state directory, the vault, every credential, the ledger and the way to Azure",
		Long: `Check the state directory, the vault and what protects it, the directory, and every
credential by signing in once; then the policy, the ledger, whether anything is
frozen, and whether there are approvers; then the proxy, the TLS and the clock of
each host that credentials are sent to, the clients of this user, and the disk. With
--read every tenant's link is read too. Nothing is changed but the notes of when each
credential last worked and when it ends. Each finding names the command that mends it.
The exit code is 1 if a check fails.`,
		Example: `  mcp-partner doctor
  mcp-partner doctor --read
  mcp-partner doctor --json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runDoctor(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print {\"checks\":[{name,status,message,fix}]}")
	flags.BoolVar(&options.read, "read", false, "read the link of every tenant too")
	options.keys.add(flags)
	return command
}

// The outcomes of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// check is one line of the doctor. Fix is a command, or empty.
type check struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

func runDoctor(ctx context.Context, f *Factory, o *doctorOptions) error {
	checks := f.examine(ctx, o)
	if o.json {
		if err := f.IO.printJSON(map[string][]check{"checks": checks}); err != nil {
			return err
		}
	} else if err := f.showChecks(checks); err != nil {
		return err
	}
	for _, c := range checks {
		if c.Status == checkFail {
			return silent(ExitFailed)
		}
	}
	return nil
}

func (f *Factory) showChecks(checks []check) error {
	u := f.IO.ui()
	styles := map[string]style{checkOK: good, checkWarn: warn, checkFail: bad}
	for _, c := range checks {
		u.write(u.paint(styles[c.Status], map[string]string{checkOK: "ok  ", checkWarn: "warn", checkFail: "FAIL"}[c.Status]) + "  " + u.paint(bold, c.Name) + ": " + u.paint(plain, c.Message) + "\n")
		u.field("  fix", c.Fix)
	}
	return u.err
}
