//go:build unix

package signin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// fakeAz writes an az that logs its arguments and its PATH and runs a script.
func fakeAz(tb testing.TB, script string) (path string, runs func() []string) {
	tb.Helper()
	dir := tb.TempDir()
	path = filepath.Join(dir, "az")
	text := "#!/bin/sh\necho \"$* PATH=$PATH\" >>\"$(dirname \"$0\")/log\"\n" + script + "\n"
	// No process may start while the file is open for writing: it would hold the
	// file open, and the script could not be run ("text file busy").
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		tb.Fatal(err)
	}
	return path, func() []string {
		data, _ := os.ReadFile(filepath.Join(dir, "log"))
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

const azSuccess = `cat <<EOF
{"accessToken":"aaa.bbb.ccc","expiresOn":"2030-01-02 03:04:05.000000","expires_on":%d,"tenant":"x","tokenType":"Bearer"}
EOF`

func newAzSource(tb testing.TB, azPath string, count int) (*Source, *testkit.Clock) {
	tb.Helper()
	var entries []tenants.Entry
	for n := range count {
		entries = append(entries, tenants.Entry{Name: fmt.Sprintf("t-%d", n), TenantID: roomtest.TenantID(n), Cloud: tenants.Cloud{Name: tenants.CloudPublic},
			Credentials: []tenants.CredentialRef{{Name: "az"}}})
	}
	d, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{{Name: "az", Kind: tenants.KindAzureCLI, AzPath: azPath}})
	if err != nil {
		tb.Fatal(err)
	}
	c := newClock()
	s := NewSource(Options{Directory: d, Store: vault.NewMemoryStore(), Clock: c.Now})
	tb.Cleanup(s.Close)
	return s, c
}

func azToken(s *Source, tenant, claims string) (string, error) {
	credential, err := s.Credential(context.Background(), tenant, "az")
	if err != nil {
		return "", err
	}
	got, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{
		Scopes: []string{"https://management.core.windows.net//.default"}, Claims: claims})
	return got.Token, err
}

func TestAzureCLITokenIsCached(t *testing.T) {
	t.Parallel()
	path, runs := fakeAz(t, fmt.Sprintf(azSuccess, time.Now().Add(time.Hour).Unix()))
	s, _ := newAzSource(t, path, 2)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if got, err := azToken(s, "t-0", ""); err != nil || got != "aaa.bbb.ccc" {
				t.Errorf("token %q (%v)", got, err)
			}
		})
	}
	group.Wait()
	if _, err := azToken(s, "t-1", ""); err != nil {
		t.Error(err)
	}
	logged := runs()
	if len(logged) != 2 {
		t.Fatalf("az ran %d times, want once for each tenant", len(logged))
	}
	for n, line := range logged {
		want := "account get-access-token --output json --resource https://management.core.windows.net/ --tenant " + roomtest.TenantID(n)
		if !strings.HasPrefix(line, want) {
			t.Errorf("arguments %q, want %q", line, want)
		}
	}
}

// A server that a desktop client starts has no PATH.
func TestAzureCLIWithEmptyPath(t *testing.T) {
	path, runs := fakeAz(t, fmt.Sprintf(azSuccess, time.Now().Add(time.Hour).Unix()))
	t.Setenv("PATH", "")
	s, _ := newAzSource(t, path, 1)
	if _, err := azToken(s, "", ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(runs()[0], "PATH="+filepath.Dir(path)+":/usr/local/bin") {
		t.Errorf("az was given %q", runs()[0])
	}
	_, err := azurecli.Find()
	roomtest.WantCode(t, err, problems.CodeAzureCLIUnavailable)
	t.Setenv("PATH", filepath.Dir(path))
	if found, err := azurecli.Find(); err != nil || found != path {
		t.Errorf("found %q (%v)", found, err)
	}
}

func TestAzureCLIFailures(t *testing.T) {
	t.Parallel()
	const canary = "canary-in-a-trace"
	for name, test := range map[string]struct {
		script string
		code   problems.Code
		hint   string
	}{
		"not signed in": {
			script: "echo \"ERROR: Please run 'az login' to setup account. " + canary + "\" >&2; exit 1",
			code:   problems.CodeAzureCLIUnavailable, hint: "az login",
		},
		"mfa": {
			script: "echo 'ERROR: AADSTS50076: " + canary + "' >&2; exit 1", code: problems.CodeInteractionRequired,
			hint: "az login --tenant " + roomtest.TenantID(0),
		},
		"no tenant":    {script: "echo 'ERROR: AADSTS90002: x' >&2; exit 1", code: problems.CodeTenantNotFound},
		"foreign user": {script: "echo 'ERROR: AADSTS50020: x' >&2; exit 1", code: problems.CodeForeignPrincipal},
		"no JSON":      {script: "echo " + canary, code: problems.CodeAzureCLIUnavailable},
		"no expiry":    {script: `echo '{"accessToken":"` + canary + `"}'`, code: problems.CodeAzureCLIUnavailable},
		"expired":      {script: fmt.Sprintf(azSuccess, 1), code: problems.CodeSignInUnavailable, hint: "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := fakeAz(t, test.script)
			s, _ := newAzSource(t, path, 1)
			_, err := azToken(s, "", "")
			problem := roomtest.WantCode(t, err, test.code)
			if !strings.Contains(problem.Hint+problem.Command, test.hint) {
				t.Errorf("hint %q", problem.Hint)
			}
			if strings.Contains(fmt.Sprintf("%+v", *problem), canary) {
				t.Errorf("az's text is shown: %+v", *problem)
			}
		})
	}
}

func TestAzureCLIOutputIsBounded(t *testing.T) {
	t.Parallel()
	path, _ := fakeAz(t, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2")
	stdout, stderr, err := azurecli.Run(context.Background(), path)
	if err != nil || len(stdout) != 1<<20 || len(stderr) != 1<<20 {
		t.Errorf("kept %d and %d bytes (%v), want %d", len(stdout), len(stderr), err, 1<<20)
	}
}

func TestAzureCLIMissing(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "az")
	s, clock := newAzSource(t, gone, 1)
	_, err := azToken(s, "", "")
	problem := roomtest.WantCode(t, err, problems.CodeAzureCLIUnavailable)
	if !strings.Contains(problem.Message, gone) {
		t.Errorf("message %q", problem.Message)
	}
	// Installed a moment later, it is found.
	path, _ := fakeAz(t, fmt.Sprintf(azSuccess, time.Now().Add(time.Hour).Unix()))
	if err := os.Rename(path, gone); err != nil {
		t.Fatal(err)
	}
	clock.Advance(azRefusedFor + time.Second)
	if _, err := azToken(s, "", ""); err != nil {
		t.Error(err)
	}
}

func TestAzureCLIClaimsNeedInteraction(t *testing.T) {
	t.Parallel()
	path, runs := fakeAz(t, "exit 1")
	s, _ := newAzSource(t, path, 1)
	_, err := azToken(s, "", `{"access_token":{}}`)
	roomtest.WantCode(t, err, problems.CodeInteractionRequired)
	if runs()[0] != "" {
		t.Error("az was run")
	}
}

func TestAzureCLIStopsWithTheSource(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	path, _ := fakeAz(t, "echo yes >"+started+"; exec sleep 60")
	s, _ := newAzSource(t, path, 1)
	outcome := make(chan error, 1)
	go func() { _, err := azToken(s, "", ""); outcome <- err }()
	if _, err := os.ReadFile(started); err != nil {
		t.Fatal(err)
	}
	s.Close()
	roomtest.WantCode(t, <-outcome, problems.CodeCancelled)
}

func TestOldAzureCLINamesLocalTime(t *testing.T) {
	t.Parallel()
	got, err := azurecli.DecodeToken([]byte(`{"accessToken":"a.b.c","expiresOn":"2030-01-02 03:04:05.123456"}`))
	want := time.Date(2030, 1, 2, 3, 4, 5, 123456000, time.Local)
	if err != nil || !got.ExpiresOn.Equal(want) {
		t.Errorf("expires %v (%v), want %v", got.ExpiresOn, err, want)
	}
}

func TestCurrentAzureCLIAccount(t *testing.T) {
	t.Parallel()
	path, runs := fakeAz(t, `printf '\357\273\277{"tenantId":"`+strings.ToUpper(roomtest.TenantID(3))+`","tenantDisplayName":"Contoso \\u001b[31m","environmentName":"AzureCloud","user":{"name":"ann@contoso.example","type":"user"}}'`)
	got, err := azurecli.CurrentAccount(context.Background(), path)
	want := azurecli.Account{TenantID: roomtest.TenantID(3), TenantName: "Contoso [31m", Cloud: "AzureCloud"}
	want.User.Name, want.User.Type = "ann@contoso.example", "user"
	if err != nil || got != want {
		t.Errorf("account %+v (%v), want %+v", got, err, want)
	}
	if !strings.HasPrefix(runs()[0], "account show --output json") {
		t.Errorf("arguments %q", runs()[0])
	}
	for _, script := range []string{"exit 1", "echo '{}'", "echo hello"} {
		path, _ := fakeAz(t, script)
		_, err := azurecli.CurrentAccount(context.Background(), path)
		roomtest.WantCode(t, err, problems.CodeAzureCLIUnavailable)
	}
	_, err = azurecli.CurrentAccount(context.Background(), "/nonexistent/az")
	roomtest.WantCode(t, err, problems.CodeAzureCLIUnavailable)
}
