//go:build !windows

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// session is the real program in front of a real terminal.
type session struct {
	t       *testing.T
	command *exec.Cmd
	tty     *os.File
	// shown is everything the terminal has shown so far.
	shown bytes.Buffer
}

// atTerminal starts the program as the leader of a session of its own, with
// the terminal as its controlling one.
func atTerminal(t *testing.T, env []string, args ...string) *session {
	t.Helper()
	return programAtTerminal(t, "mcp-partner", env, args...)
}

func programAtTerminal(t *testing.T, program string, env []string, args ...string) *session {
	t.Helper()
	testkit.SkipShort(t, testkit.Processes)
	command := exec.CommandContext(t.Context(), program, args...)
	command.Env = append([]string{"GORACE=" + noRest, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "MCP_PARTNER_STATE_DIR=" + t.TempDir(), "TERM=xterm"}, env...)
	tty, err := pty.StartWithSize(command, &pty.Winsize{Rows: 50, Cols: 500})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return &session{t: t, command: command, tty: tty}
}

// silence is how long the terminal may show nothing new before a test gives up:
// on a machine that has other things to do a passphrase takes its time.
const silence = 3 * time.Minute

// await ends a program that shows nothing more: a terminal has no deadline for
// reading. The returned function ends the wait.
func (s *session) await() (stop func() bool) {
	s.t.Helper()
	return time.AfterFunc(silence, func() { _ = s.command.Process.Kill() }).Stop
}

// expect reads on until the terminal shows the text.
func (s *session) expect(text string) {
	s.t.Helper()
	defer s.await()()
	buffer := make([]byte, 4096)
	for !strings.Contains(s.shown.String(), text) {
		n, err := s.tty.Read(buffer)
		s.shown.Write(buffer[:n])
		if err != nil {
			s.t.Fatalf("%v before %q was shown; shown was:\n%s", err, text, s.shown.String())
		}
	}
}

func (s *session) typeLine(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the program and returns its exit code and all it has shown.
func (s *session) end() (int, string) {
	s.t.Helper()
	defer s.await()()
	// A terminal whose other side is closed ends with EIO instead of EOF.
	if _, err := io.Copy(&s.shown, s.tty); err != nil && !errors.Is(err, syscall.EIO) {
		s.t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := s.command.Wait(); err != nil && !errors.As(err, &failed) {
		s.t.Fatal(err)
	}
	return s.command.ProcessState.ExitCode(), s.shown.String()
}

func TestConfirmationAtTheTerminal(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, typed string
		code        int
		status      answers.Status
		problem     problems.Code
	}{
		{name: "right", typed: "7654321\n", code: exit.CodeDone, status: answers.StatusDone},
		{name: "wrong", typed: "7654322\n", code: exit.CodeRefused, status: answers.StatusRefused, problem: problems.CodeApprovalDeclined},
		{name: "yes is not enough", typed: "yes\n", code: exit.CodeRefused, status: answers.StatusRefused, problem: problems.CodeApprovalDeclined},
		{
			name: "spaces are not it", typed: " 7654321\n", code: exit.CodeRefused, status: answers.StatusRefused,
			problem: problems.CodeApprovalDeclined,
		},
		{name: "empty", typed: "\n", code: exit.CodeRefused, status: answers.StatusRefused, problem: problems.CodeApprovalDeclined},
		{name: "closed", typed: "\x04", code: exit.CodeRefused, status: answers.StatusRefused, problem: problems.CodeApprovalDeclined},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := atTerminal(t, nil, "call", "update_partner", "--simulate", "--tenant", "contoso", "--partner-id", "7654321", "--allow-writes", "--json")
			s.expect("Replace partner ID")
			s.expect("Type the new partner ID to confirm")
			s.typeLine(c.typed)
			code, shown := s.end()
			if code != c.code {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, shown)
			}
			var envelope answers.Envelope
			if err := json.Unmarshal([]byte(shown[strings.Index(shown, "{\r\n"):]), &envelope); err != nil {
				t.Fatalf("%v in:\n%s", err, shown)
			}
			if envelope.Status != c.status || c.problem != "" && (envelope.Problem == nil || envelope.Problem.Code != c.problem) {
				t.Errorf("answer is %+v (%+v), want %s %s", envelope.Status, envelope.Problem, c.status, c.problem)
			}
		})
	}
}

func TestSignalAtTheQuestionWritesNothing(t *testing.T) {
	t.Parallel()
	s := atTerminal(t, nil, "call", "update_partner", "--simulate", "--tenant", "contoso", "--partner-id", "7654321", "--allow-writes")
	s.expect("Type the new partner ID to confirm")
	s.typeLine("\x03")
	code, shown := s.end()
	if code != exit.CodeRefused || !strings.Contains(shown, string(problems.CodeApprovalDeclined)) {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

func TestRemovalRequiresTypedTenantName(t *testing.T) {
	t.Parallel()
	s := atTerminal(t, []string{"NO_COLOR=1"}, "call", "remove_partner", "--simulate", "--tenant", "contoso", "--partner-id", "2345678", "--allow-writes")
	s.expect("Type the tenant's name to confirm")
	s.typeLine("contoso\n")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "Removed the link to partner ID 2345678") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	if strings.Contains(shown, "\x1b") {
		t.Errorf("coloured in spite of NO_COLOR:\n%q", shown)
	}
}

func TestColorAtTheTerminal(t *testing.T) {
	t.Parallel()
	s := atTerminal(t, []string{"NO_COLOR="}, "call", "check_partner_link", "--simulate", "--tenant", "contoso")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "\x1b[32m") {
		t.Errorf("exit code %d, no colour:\n%q", code, shown)
	}
}

// TestSecretAndPassphraseAreNotShown makes a vault with a passphrase and adds a
// tenant, everything typed.
func TestSecretAndPassphraseAreNotShown(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, world.Server.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"MCP_PARTNER_STATE_DIR=" + filepath.Join(dir, "state"), "NO_COLOR=1"}
	const passphrase = "correct horse battery"
	s := atTerminal(t, env, "vault", "init", "--passphrase")
	s.expect("New passphrase")
	s.typeLine(passphrase + "\n")
	s.expect("Repeat it")
	s.typeLine(passphrase + "\n")
	if code, shown := s.end(); code != exit.CodeDone || strings.Contains(shown, "horse") {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	contoso, _ := world.Sim.Tenant("contoso")
	cloud := world.Cloud()
	s = atTerminal(t, env, "tenants", "add", "contoso", "--tenant-id", contoso.TenantID, "--client-id", world.Sim.ClientID(), "--cloud", "custom",
		"--authority", cloud.Authority, "--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--ca-file", ca, "--skip-instance-discovery")
	s.expect("Passphrase of the vault")
	s.typeLine(passphrase + "\n")
	s.expect("Client secret of contoso (not shown)")
	s.typeLine(world.Sim.ClientSecret() + "\n")
	if code, shown := s.end(); code != exit.CodeDone || strings.Contains(shown, world.Sim.ClientSecret()) || strings.Contains(shown, "horse") {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	s = atTerminal(t, env, "call", "check_partner_link", "--tenant", "contoso")
	s.expect("Passphrase of the vault")
	s.typeLine("something else\n")
	if code, shown := s.end(); code != exit.CodeFailed || !strings.Contains(shown, "vault_corrupt") || strings.Contains(shown, "something else") {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
}

// TestSecretIsReadWithoutEchoAtTerminal follows the advice that errors
// about secrets give: the same command, typed at a terminal.
func TestSecretIsReadWithoutEchoAtTerminal(t *testing.T) {
	t.Parallel()
	env := []string{"MCP_PARTNER_STATE_DIR=" + filepath.Join(t.TempDir(), "state"), "NO_COLOR=1"}
	if code, shown := atTerminal(t, env, "vault", "init").end(); code != exit.CodeDone {
		t.Fatalf("exit code %d:\n%s", code, shown)
	}
	const secret = "only-eyes-see-this"
	s := atTerminal(t, env, "vault", "add", "app", "--secret-stdin")
	s.expect("Client secret of app (not shown): ")
	s.typeLine(secret + "\n")
	if code, shown := s.end(); code != exit.CodeDone || strings.Contains(shown, secret) {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	s = atTerminal(t, env, "vault", "add", "certificate", "--certificate-stdin")
	if code, shown := s.end(); code != exit.CodeUsage || !strings.Contains(shown, "--certificate-file FILE") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

func TestImportConfirmsAtTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.csv")
	text := "name,tenant_id,client_id\ncontoso,00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"MCP_PARTNER_STATE_DIR=" + filepath.Join(dir, "state"), "NO_COLOR=1"}
	for typed, want := range map[string]int{"no\n": exit.CodeRefused, "\n": exit.CodeRefused, "y\n": exit.CodeRefused} {
		s := atTerminal(t, env, "tenants", "import", file)
		s.expect("Type yes: ")
		s.typeLine(typed)
		if code, shown := s.end(); code != want || !strings.Contains(shown, "nothing was changed") {
			t.Errorf("%q: exit code %d:\n%s", typed, code, shown)
		}
	}
	s := atTerminal(t, env, "tenants", "import", file)
	s.expect("Type yes: ")
	s.typeLine("yes\n")
	if code, shown := s.end(); code != exit.CodeDone || !strings.Contains(shown, "1 added") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

func TestServeAtTerminalExplainsThatClientStartsIt(t *testing.T) {
	t.Parallel()
	s := atTerminal(t, []string{"NO_COLOR=1"}, "serve", "--simulate")
	s.expect("mcp-partner install")
	s.expect("Press Ctrl-D to end.")
	s.typeLine("\x04")
	if code, shown := s.end(); code != exit.CodeDone {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}

func TestBearerIsPrintedWithClientBlock(t *testing.T) {
	t.Parallel()
	s := atTerminal(t, []string{"NO_COLOR=1"}, "serve", "--simulate", "--http", "127.0.0.1:0")
	s.expect("Ctrl-C ends the server")
	s.expect("msg=serving")
	s.typeLine("\x03")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, `"Authorization": "Bearer `) || !strings.Contains(shown, "claude mcp add --transport http") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
}
