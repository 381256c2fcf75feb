package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/vault"
)

type recipientsOptions struct {
	name, key string
	json      bool
	keys      keyOptions
}

// newVaultRecipients builds `vault recipients` with its subcommands.
func newVaultRecipients(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "recipients",
		Short: "Let colleagues and servers open a vault in a file, or no longer",
		Long: `Let colleagues and servers open a vault in a file, each with an age identity of
their own. They get the vault itself (vault.age and directory.json) and open it with
--identity-file; only their public key comes here.`,
		Example: "  mcp-partner vault recipients add dana age1...\n  mcp-partner vault recipients list",
		Args:    noArguments,
		RunE:    showHelp,
	}
	command.AddCommand(newRecipientsAdd(f), newRecipientsList(f), newRecipientsRemove(f))
	return command
}

func newRecipientsAdd(f *Factory) *cobra.Command {
	options := &recipientsOptions{}
	command := &cobra.Command{
		Use:     "add NAME PUBLIC-KEY",
		Short:   "Encrypt the vault for one more age public key",
		Example: "  mcp-partner vault recipients add dana age1...",
		Args: func(command *cobra.Command, args []string) error {
			if len(args) != 2 || strings.HasPrefix(strings.ToUpper(args[1]), "AGE-SECRET-KEY") {
				return usage(help(command), "%s takes a name and an age public key, which begins with age1", command.CommandPath())
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			options.name, options.key = args[0], args[1]
			return runRecipientsAdd(command.Context(), f, options)
		},
	}
	options.keys.add(command.Flags())
	return command
}

func newRecipientsList(f *Factory) *cobra.Command {
	options := &recipientsOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List who can open the vault",
		Example: "  mcp-partner vault recipients list --json",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runRecipientsList(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

func newRecipientsRemove(f *Factory) *cobra.Command {
	options := &recipientsOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Encrypt the vault again without one recipient, and say which secrets to replace",
		Long: `Encrypt the vault again without one recipient. That keeps later secrets from them.
Those that were in the vault they may have kept: replace each of the secrets that are
listed.`,
		Example: "  mcp-partner vault recipients remove dana",
		Args:    oneArgument("the name of the recipient"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runRecipientsRemove(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

func runRecipientsAdd(ctx context.Context, f *Factory, o *recipientsOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.vault.AddRecipient(ctx, o.name, o.key); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "The vault was encrypted for the recipient %s too.", o.name)
	u := f.IO.ui()
	u.linef(good, "%s can open the vault now.", o.name)
	u.field("next", "give them vault.age and directory.json; they use --identity-file FILE")
	return u.err
}

func runRecipientsList(ctx context.Context, f *Factory, o *recipientsOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	recipients, err := h.vault.Recipients(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return f.IO.printJSON(map[string][]vault.Recipient{"recipients": append([]vault.Recipient{}, recipients...)})
	}
	u := f.IO.ui()
	if len(recipients) == 0 {
		u.line(plain, "The vault has one key and no recipients.")
		return u.err
	}
	rows := make([][]string, len(recipients))
	for i, r := range recipients {
		rows[i] = []string{r.Name, r.Key, r.AddedAt.Format("2006-01-02")}
	}
	u.table([]string{"NAME", "PUBLIC KEY", "ADDED"}, rows)
	return u.err
}

func runRecipientsRemove(ctx context.Context, f *Factory, o *recipientsOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	known, err := h.vault.RemoveRecipient(ctx, o.name)
	if err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "The vault was encrypted again without the recipient %s.", o.name)
	if o.json {
		return f.IO.printJSON(map[string]any{"removed": o.name, "rotate": append([]string{}, known...)})
	}
	u := f.IO.ui()
	u.linef(good, "Encrypted the vault again without %s.", o.name)
	if len(known) > 0 {
		u.line(warn, "They could read these secrets and may have kept them. Replace each one:")
	}
	for _, name := range known {
		u.field("next", "mcp-partner vault rotate-secret "+shellWord(name))
	}
	return u.err
}
