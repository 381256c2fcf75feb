// Package clients has the commands of the MCP clients that people sign in with.
package clients

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/auth/oauth"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// NewCmdClients builds `clients` with its subcommands.
func NewCmdClients(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("clients", "Add, list and remove the MCP clients that people sign in with",
		newCmdAdd(deps), newCmdList(deps), newCmdRemove(deps))
}

func stored(session *app.Session) oauth.Clients {
	return oauth.Clients{Store: session.GuardStore(), Now: time.Now, By: app.TerminalCaller}
}

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	var redirects cmdutil.List
	var secret, asJSON bool
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a client, and show its ID and secret once",
		Args:  cmdutil.OneArgument("the name of the client, as people will see it"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			client, shown, err := stored(session).Add(ctx, args[0], redirects, secret)
			if err != nil {
				return exit.AsUsage(err)
			}
			err = deps.IO.Answer(asJSON || !deps.IO.OutTTY, map[string]string{"client_id": client.ID, "client_secret": shown}, func(u *term.UI) {
				u.Linef(term.Good, "Added the client %s. Its secret is not shown again.", client.Name)
				u.Field("client id", client.ID)
				u.Field("secret", shown)
			})
			if err == nil {
				return nil
			}
			if err := stored(session).Remove(context.WithoutCancel(ctx), client.ID); err != nil {
				return exit.Failed("mcp-partner clients remove "+client.ID, "the client %s could not be shown or removed", client.ID)
			}
			return exit.Failed("run it again with an output that can be written", "the client could not be shown, so it was removed")
		}),
	}
	flags := command.Flags()
	flags.Var(&redirects, "redirect", "`URIS` to which the client's answers may go, exactly, separated by commas")
	flags.BoolVar(&secret, "secret", false, "make a secret with which the client proves who it is")
	flags.BoolVar(&asJSON, "json", false, "print {\"client_id\",\"client_secret\"}")
	config.Typed(flags, "redirect", "secret")
	return command
}

// clientRow is a client as the command line shows it.
type clientRow struct {
	ID   string           `json:"id"`
	Name string           `json:"name"`
	Kind oauth.ClientKind `json:"kind"`
	// Redirects are empty where the client's document names them.
	Redirects []string `json:"redirects"`
	Since     string   `json:"since"`
	// LastUsed is when somebody last allowed it something; empty if nobody ever did.
	LastUsed string `json:"last_used,omitempty"`
	// People are those whose consent holds now.
	People []access.Caller `json:"people"`
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "clients", "List the clients, when they were used, and who allows them something", deps.OnLedger, func(ctx context.Context, session *app.Session) (cmdutil.Listing[clientRow], error) {
		rows, err := rowsOf(ctx, stored(session))
		return cmdutil.Listing[clientRow]{
			Rows: rows, Empty: "No client was added, and nobody has allowed one anything.", Header: []string{"ID", "NAME", "KIND", "LAST USED", "ALLOWED BY"},
			Cells: func(r clientRow) []string {
				return []string{untrusted.Sanitize(r.ID), untrusted.Sanitize(r.Name), string(r.Kind), r.LastUsed, joined(r.People)}
			},
		}, err
	})
}

func rowsOf(ctx context.Context, all oauth.Clients) ([]clientRow, error) {
	list, err := all.List(ctx)
	if err != nil {
		return nil, err
	}
	consents, err := all.Consents(ctx)
	return xslices.Map(list, func(client oauth.Client) clientRow {
		row := clientRow{ID: client.ID, Name: client.Name, Kind: client.Kind, Redirects: append([]string{}, client.Redirects...), Since: phrase.Stamp(client.AddedAt), People: []access.Caller{}}
		if !client.UsedAt.IsZero() {
			row.LastUsed = phrase.Stamp(client.UsedAt)
		}
		for _, one := range consents {
			if one.Client.ID == client.ID && !slices.Contains(row.People, one.Person.Caller) {
				row.People = append(row.People, one.Person.Caller)
			}
		}
		return row
	}), err
}

func joined(people []access.Caller) string {
	return strings.Join(xslices.Map(people, func(who access.Caller) string { return string(who) }), ",")
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a client, and end all that people allowed it",
		Args:  cmdutil.OneArgument("the ID of the client"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			if err := stored(session).Remove(ctx, args[0]); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "Removed the client %s.", untrusted.Shown(args[0]))
		}),
	}
}
