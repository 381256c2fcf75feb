// Package migrate holds the command that moves a state directory into a database.
package migrate

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
)

type options struct{ toDatabase, back, yes, json bool }

// NewCmdMigrate builds `migrate`.
func NewCmdMigrate(deps *cmdutil.Deps) *cobra.Command {
	o := &options{}
	command := &cobra.Command{
		Use:   "migrate",
		Short: "Move the state directory into a PostgreSQL database",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return run(command.Context(), deps, o) },
	}
	flags := command.Flags()
	flags.BoolVar(&o.toDatabase, "to-database", false, "move into the database")
	flags.BoolVar(&o.back, "back", false, "use the state directory again")
	flags.BoolVar(&o.yes, "yes", false, "move, instead of printing what would move")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	config.Typed(flags, "to-database", "back", "yes")
	deps.AddKeyFlags(flags)
	return command
}

func run(ctx context.Context, deps *cmdutil.Deps, o *options) error {
	u := deps.IO.UI()
	switch {
	case o.toDatabase == o.back:
		return exit.Usage("mcp-partner migrate --help", "give --to-database or --back")
	case o.back:
		if err := deps.MigrateBack(ctx); err != nil {
			return err
		}
		deps.IO.ChangeMade()
		u.Linef(term.Good, "The state directory %s is in use again. Remove database-url-file from the config file.", deps.StateDir)
		return u.Err
	}
	m, err := deps.Migrate(ctx, o.yes)
	if err != nil {
		return err
	}
	if o.json {
		return deps.IO.PrintJSON(m)
	}
	if m.Moved {
		deps.IO.ChangeMade()
		u.Linef(term.Good, "Moved. Everything is %s.", m.Place)
	} else {
		u.Linef(term.Good, "This would move; it will be %s.", m.Place)
	}
	u.Field("files", strings.Join(m.Files, ", "))
	u.Field("ledger", phrase.Entries(m.Rows["events"])+", head "+m.Head)
	u.Field("open", phrase.Count(int(m.Rows["states"]), "row")+" of approvals, tokens and users, "+phrase.Count(int(m.Rows["runs"]), "run"))
	next := "stop all servers, then add --yes"
	if m.Moved {
		next = "name the file as database-url-file in the config file, then start the servers"
	}
	u.Field("next", next)
	return u.Err
}
