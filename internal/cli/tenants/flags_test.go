package tenants

import (
	"testing"

	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/tenants"
)

func TestCAFileSystemTrustsAuthoritiesOfTheSystemAgain(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"system": "", "": "own"} {
		options, flags := &Options{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		options.Add(cmdutil.NewDeps(&term.Streams{}), flags)
		if err := flags.Set("ca-file", given); (err != nil) != (given == "") {
			t.Errorf("--ca-file %q: %v", given, err)
		}
		entry := tenants.Entry{Cloud: tenants.Cloud{Name: tenants.CloudCustom, CAPEM: "own"}}
		if err := options.applyCloud(&entry); err != nil || entry.Cloud.CAPEM != want {
			t.Errorf("--ca-file %q leaves %q, %v", given, entry.Cloud.CAPEM, err)
		}
	}
}
