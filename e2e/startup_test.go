package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// A start that cannot work ends at once, with one line that says what is wrong,
// one that says what to do, and nothing on standard output.
func TestFailedStartExplainsItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, dir, "file", "not a directory")
	wrong := writeFile(t, dir, "wrong", "not the passphrase at all")
	right := writeFile(t, dir, "right", "the passphrase of this test")
	sealed := filepath.Join(dir, "sealed")
	invocation{args: []string{"vault", "init", "--state-dir", sealed, "--passphrase-file", right}}.must(t)
	corrupt := corruptVault(t, dir)
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	state := "--state-dir"
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"state directory is a file":    {args: []string{"serve", state, file}, code: exitFailed, says: "not a directory"},
		"state directory below a file": {args: []string{"serve", state, filepath.Join(file, "below")}, code: exitFailed, says: "not a directory"},
		"nowhere to write": {
			args: []string{"vault", "init", state, filepath.Join(file, "below")}, code: exitFailed, says: "not a directory",
		},
		"state directory open to all": {args: []string{"serve", state, open}, code: exitFailed, says: "open to other users"},
		"corrupt vault":               {args: []string{"vault", "status", state, corrupt}, code: exitFailed, says: "vault.age"},
		"wrong passphrase": {
			args: []string{"vault", "status", state, sealed, "--passphrase-file", wrong}, code: exitFailed, says: "does not open",
		},
		"no terminal for a passphrase":  {args: []string{"vault", "status", state, sealed}, code: exitFailed, says: "no terminal"},
		"unknown flag":                  {args: []string{"serve", "--alow-writes"}, code: exitUsage, says: "did you mean --allow-writes"},
		"unknown command":               {args: []string{"server"}, code: exitUsage, says: "did you mean serve"},
		"unknown tool":                  {args: []string{"call", "check_partner"}, code: exitUsage, says: "check_partner"},
		"stray argument":                {args: []string{"serve", "now"}, code: exitUsage, says: "takes only flags"},
		"value of the wrong kind":       {args: []string{"serve", "--simulate=many"}, code: exitUsage, says: "--simulate"},
		"unknown fault":                 {args: []string{"serve", "--simulate", "--fault", "gremlins=5"}, code: exitUsage, says: "gremlins"},
		"fault without a simulation":    {args: []string{"serve", "--fault", "html=5"}, code: exitUsage, says: "need a simulation"},
		"address that others reach":     {args: []string{"serve", "--simulate", "--http", "0.0.0.0:0"}, code: exitUsage, says: "loopback"},
		"no approval without a bound":   {args: []string{"serve", "--allow-writes", "--approval", "none"}, code: exitUsage, says: "--approval none"},
		"empty bound":                   {args: []string{"serve", "--simulate", "--tenants", ""}, code: exitUsage, says: "--tenants"},
		"bound on a tool there is not":  {args: []string{"serve", "--simulate", "--tools", "check_link"}, code: exitUsage, says: "check_link"},
		"config file that is not there": {args: []string{"serve", "--config", filepath.Join(dir, "none.yaml")}, code: exitUsage, says: "none.yaml"},
		"secret as an argument": {
			args: []string{"tenants", "add", "x", "--secret", "hunter2"}, code: exitUsage, says: "every process can read arguments",
		},
		"vault that exists already": {args: []string{"vault", "init", state, sealed}, code: exitRefused, says: "already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := invocation{args: tt.args, env: []string{"HOME=" + t.TempDir()}}.run(t)
			checkBadStart(t, o, tt.code, tt.says)
		})
	}
}

func checkBadStart(t *testing.T, o outcome, code int, says string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(o.stderr, "\n"), "\n")
	wellFormed := len(lines) <= 3
	for i, prefix := range []string{"mcp-partner: ", "Next: ", "Run: "} {
		wellFormed = wellFormed && (i >= len(lines) || strings.HasPrefix(lines[i], prefix))
	}
	switch {
	case o.code != code:
		t.Errorf("exit code %d, want %d:\n%s", o.code, code, o.both())
	case !wellFormed:
		t.Errorf("more than a line, its next step and the command:\n%s", o.stderr)
	case !strings.Contains(lines[0], says):
		t.Errorf("%q does not say %q", lines[0], says)
	case o.stdout != "":
		t.Errorf("standard output belongs to answers, and has: %s", o.stdout)
	case strings.Contains(o.both(), "hunter2"):
		t.Errorf("what may be a secret is repeated: %s", o.both())
	}
}

// Every command reports a full disk under its output.
func TestFullOutputDiskIsReported(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full; Linux, which CI runs on, has")
	}
	defer full.Close()
	for _, args := range [][]string{{"tools"}, {"version"}, {"call", "list_tenants", "--simulate=2", "--json"}, {"find", "check", "--json"}} {
		command := invocation{args: args, env: []string{"HOME=" + t.TempDir()}}.command(t.Context())
		errs := &recorder{}
		command.Stdout, command.Stderr = full, errs
		_ = command.Run() // its exit code says how
		if code := command.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(errs.String(), "no space") {
			t.Errorf("%v on a full disk: exit code %d, %q", args, code, errs)
		}
	}
}

// A vault that cannot be opened stops no server: its tools say what is wrong,
// and reading what needs no secret goes on. The file stays as it was.
func TestCorruptVaultUnderAServer(t *testing.T) {
	t.Parallel()
	w := brokenVault(t)
	before, err := os.ReadFile(filepath.Join(w.state, "vault.age"))
	if err != nil {
		t.Fatal(err)
	}
	s := w.cli("serve").start(t)
	s.greet(wiretest.Legacy)
	for range 2 {
		reply := s.ask(wiretest.Legacy.Call(1, "check_partner_link", wiretest.Object{"tenant": "contoso"}))
		if code := reply.Path("structuredContent", "problem", "code"); code != "vault_corrupt" {
			t.Errorf("check_partner_link: %s", reply.Raw)
		}
		if state := reply.Path("structuredContent", "link", "state"); state == "not_linked" {
			t.Error("a vault that does not open is no missing link")
		}
	}
	if reply := s.ask(wiretest.Legacy.Call(2, "list_tenants", nil)); reply.Path("structuredContent", "status") != "done" {
		t.Errorf("list_tenants: %s", reply.Raw)
	}
	s.rest()
	after, err := os.ReadFile(filepath.Join(w.state, "vault.age"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the damaged file was touched (%v)", err)
	}
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// corruptVault makes a vault and cuts its file off.
func corruptVault(t *testing.T, dir string) string {
	t.Helper()
	state := filepath.Join(dir, "corrupt")
	invocation{args: []string{"vault", "init", "--state-dir", state}}.must(t)
	cutOff(t, filepath.Join(state, "vault.age"))
	return state
}

func cutOff(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/2); err != nil {
		t.Fatal(err)
	}
}

func brokenVault(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	cutOff(t, filepath.Join(w.state, "vault.age"))
	// The previous version beside it must not be taken in its place in silence.
	return w
}
