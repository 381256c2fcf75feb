package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/auth"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// TestExampleCallers hands the mappings of the documents to what reads them in a
// server.
func TestExampleCallers(t *testing.T) {
	t.Parallel()
	flags := cmdutil.AllFlags(NewRoot(cmdutil.NewDeps(testStreams(nil))), config.IsStanding)
	example, err := config.Load(examplePath, flags)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	short, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []config.File{example, short} {
		verifier, err := auth.New(auth.Options{
			Issuers:   []string{"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "https://login.example.com/realms/partners"},
			Audiences: []string{"aaaaaaaa-2222-3333-4444-555555555555"}, Mapping: file.Callers,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(verifier.Metadata("https://x/mcp")); len(file.Callers.Grants) < 2 || !strings.Contains(got, `"scopes_supported":["https://partner.example.com/mcp/partner.read","https://partner.example.com/mcp/partner.write","https://partner.example.com/mcp/partner.change"]`) {
			t.Errorf("%+v: %s", file.Callers, got)
		}
	}
}

func TestOAuthFlags(t *testing.T) {
	t.Parallel()
	const issuer, name = "--oidc-issuer=https://login.example", "--oidc-audience=me"
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--oidc-issuer is for HTTP", []string{issuer}},
		{"needs --oidc-audience", []string{"--http=127.0.0.1:0", issuer}},
		{"are for access tokens of an issuer", []string{"--http=127.0.0.1:0", name}},
		{"is for HTTP", []string{"--oauth"}},
		{"--insecure-no-auth cannot be combined with --oauth or --console", []string{"--http=127.0.0.1:0", "--oauth", "--insecure-no-auth"}},
		{"--oauth and --console need the address", []string{"--http=127.0.0.1:0", "--oauth", "--behind-proxy"}},
		{"--oauth and --console take one --oidc-issuer", []string{"--http=127.0.0.1:0", "--oauth", issuer + ",https://login.other.example"}},
		{"must begin with https://", []string{"--http=127.0.0.1:0", "--oauth", "--public-url=http://partner.example.com"}},
		{"an address in place of a name", []string{"--http=127.0.0.1:0", "--oauth", "--public-url=https://203.0.113.5"}},
		{"an address in place of a name", []string{"--http=127.0.0.1:0", "--oauth", "--public-url=http://127.0.0.1:8080"}},
		{"needs oauth.client_id and oauth.credential", []string{"--http=127.0.0.1:0", "--oauth", issuer}},
		{"cannot be combined", []string{"--http=127.0.0.1:0", issuer, name, "--insecure-no-auth"}},
		{"needs the address that clients use", []string{"--http=127.0.0.1:0", issuer, name, "--behind-proxy"}},
		{"must begin with https://", []string{"--http=127.0.0.1:0", issuer, name, "--public-url=http://a.example"}},
		{"no URL of a server", []string{"--http=127.0.0.1:0", issuer, name, "--public-url=https://a.example/partner/mcp"}},
		{"no URL of a server", []string{"--http=127.0.0.1:0", issuer, name, "--public-url=https://u@a.example"}},
		{"no URL of a server", []string{"--http=127.0.0.1:0", issuer, name, "--public-url=https://a.example/?x"}},
		{"no URL of a server", []string{"--http=127.0.0.1:0", issuer, name, "--public-url=a.example"}},
		{"no URL of a server", []string{"--http=127.0.0.1:0", "--public-url=https://a.example/?x"}},
		{"for loopback only", []string{"--http=127.0.0.1:0", "--insecure-no-auth", "--public-url=https://a.example"}},
		{"must begin with https://", []string{"--http=127.0.0.1:0", "--oidc-issuer=http://login.example", name}},
		{"for each tenant", []string{"--http=127.0.0.1:0", "--oidc-issuer=https://login.microsoftonline.com/common/v2.0", name}},
		{"is not one of this server", []string{"--http=127.0.0.1:0", issuer, "--oidc-audience=https://management.azure.com/"}},
		{"empty.pem holds no PEM certificate", []string{"--http=127.0.0.1:0", issuer, name, "--oidc-ca-file=" + empty}},
		{"empty.pem.not cannot be read", []string{"--http=127.0.0.1:0", issuer, name, "--oidc-ca-file=" + empty + ".not"}},
	} {
		streams, heard := testStreams(nil), &syncBuffer{} // keys of an issuer may be asked for meanwhile
		streams.Err = heard
		code := Run(t.Context(), streams, append([]string{"serve", "--simulate=1", "--state-dir", t.TempDir()}, c.args...))
		if said := heard.String(); code != exit.CodeUsage || !strings.Contains(said, c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, said)
		}
	}
}
