package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/tenants"
)

type exportOptions struct {
	format, output string
	force          bool
}

// newTenantsExport builds `tenants export`.
func newTenantsExport(f *Factory) *cobra.Command {
	options := &exportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export the directory, without secrets",
		Long: `Export the directory as CSV, which tenants import takes, or as JSON. It holds no
secret. A file is readable for you alone and replaces another one only with
--force. Cells that a spreadsheet would run as a formula begin with a quote.

The CSV names no CA file: --ca-file is given anew at an import.`,
		Example: `  mcp-partner tenants export -o tenants.csv
  mcp-partner tenants export --format json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runTenantsExport(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.format, "format", "csv", "`csv or json`")
	flags.StringVarP(&options.output, "output", "o", "", "write to this `FILE` instead of standard output")
	flags.BoolVar(&options.force, "force", false, "let --output replace a file")
	return command
}

func runTenantsExport(_ context.Context, f *Factory, o *exportOptions) error {
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entries, err := h.directory.List()
	if err != nil {
		return err
	}
	var text []byte
	switch o.format {
	case "csv":
		text, err = h.exportCSV(entries)
	case "json":
		text, err = h.exportJSON(entries)
	default:
		return usage("give csv or json", "--format is neither csv nor json")
	}
	if err != nil {
		return err
	}
	if o.output != "" {
		return writeOutput(o.output, text, o.force)
	}
	return f.printCSV(text)
}

func (h *house) exportJSON(entries []tenants.Entry) ([]byte, error) {
	listed, err := h.tenantsJSON(entries)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(map[string][]tenantJSON{"tenants": listed}, "", "  ")
	return append(text, '\n'), err
}

func (h *house) exportCSV(entries []tenants.Entry) ([]byte, error) {
	rows := make([]tenantRow, len(entries))
	for i, entry := range entries {
		if err := fitsCSV(entry); err != nil {
			return nil, err
		}
		config, err := h.directory.Credential(entry.Credentials[0].Name)
		if err != nil {
			return nil, err
		}
		rows[i] = rowOf(entry, config)
	}
	return encodeCSV(rows)
}

// fitsCSV refuses what would come back as something else.
func fitsCSV(entry tenants.Entry) error {
	if slices.ContainsFunc(entry.Labels, func(label string) bool { return strings.ContainsAny(label, listSeparators) }) {
		return refused("export with --format json", "a label of %s has a ; or | in it, which separate labels in CSV", entry.Name)
	}
	return nil
}

// rowOf is an entry as a row. Microsoft's clouds need their name alone.
func rowOf(entry tenants.Entry, credential tenants.CredentialConfig) tenantRow {
	var credentials []string
	for _, ref := range entry.Credentials {
		credentials = append(credentials, ref.Name)
	}
	row := tenantRow{
		"name": entry.Name, "tenant_id": entry.TenantID, "credential": strings.Join(credentials, ";"), "client_id": credential.ClientID,
		"domains": strings.Join(entry.Domains, ";"), "expected_partner_id": entry.ExpectedPartnerID, "labels": strings.Join(entry.Labels, ";"),
		"owner": entry.Owner, "external_id": entry.ExternalID, "note": entry.Note, "cloud": entry.Cloud.Name,
	}
	row.setCredential(credential)
	if entry.Cloud.Name == tenants.CloudCustom {
		row["arm_endpoint"], row["arm_audience"], row["authority"] = entry.Cloud.ARMEndpoint, entry.Cloud.ARMAudience, entry.Cloud.Authority
		row["skip_instance_discovery"] = strconv.FormatBool(entry.Cloud.SkipInstanceDiscovery)
	}
	return row
}
