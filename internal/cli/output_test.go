package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/testkit"
)

// badOutputs are outputs that fail, and one that is read a byte at a time. They are
// what a shell hands over: pipes and a full device.
func badOutputs() map[string]func(t *testing.T) io.Writer {
	pipe := func(t *testing.T) (reader, writer *os.File) {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
		return reader, writer
	}
	return map[string]func(t *testing.T) io.Writer{
		"closed": func(t *testing.T) io.Writer {
			reader, writer := pipe(t)
			_ = reader.Close()
			return writer
		},
		"full": func(t *testing.T) io.Writer {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil { // a system without the device
				return writerFunc(func([]byte) (int, error) { return 0, syscall.ENOSPC })
			}
			t.Cleanup(func() { _ = full.Close() })
			return full
		},
		"slow": func(t *testing.T) io.Writer {
			reader, writer := pipe(t)
			go func() {
				for one := make([]byte, 1); ; {
					if _, err := reader.Read(one); err != nil {
						return
					}
				}
			}()
			return writer
		},
	}
}

// writerFunc is an output.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// stage is a state directory with the tenant contoso, before one change.
type stage struct {
	t     *testing.T
	world *azure
	dir   string
	home  string
}

// typist answers each question of a terminal with the next line.
type typist struct{ lines []string }

func (*typist) Close() error { return nil }

func (p *typist) Ask(context.Context, string, bool) (string, error) {
	if len(p.lines) == 0 {
		return "", errors.New("nothing is left to type")
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	return line, nil
}

// run runs a command line and returns its exit code.
func (s *stage) run(out io.Writer, input string, typed []string, args ...string) int {
	person := &typist{typed}
	env := map[string]string{"MCP_PARTNER_STATE_DIR": s.dir, "HOME": s.home}
	streams := &term.Streams{
		In: strings.NewReader(input), Out: out, Err: io.Discard, InTTY: len(typed) > 0,
		Env:      func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Terminal: func() (term.Terminal, error) { return person, nil },
	}
	return Run(s.t.Context(), streams, args)
}

// must runs a command line that has to succeed, and returns its output.
func (s *stage) must(input string, typed []string, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	if code := s.run(&out, input, typed, args...); code != 0 {
		s.t.Fatalf("%q ended with %d: %s", args, code, out.String())
	}
	return out.String()
}

// shows reports whether the output of a command line holds a text.
func (s *stage) shows(text string, args ...string) bool {
	var out bytes.Buffer
	s.run(&out, "", nil, args...)
	return strings.Contains(out.String(), text)
}

func (s *stage) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// asked asks an approver for a write, and returns the approval's ID.
func (s *stage) asked() string {
	s.t.Helper()
	s.run(io.Discard, "", nil, "call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567", "--allow-writes", "--approval", "approver")
	var list struct{ Approvals []struct{ ID string } }
	if err := json.Unmarshal([]byte(s.must("", nil, "approvals", "list", "--json")), &list); err != nil || len(list.Approvals) != 1 {
		s.t.Fatalf("%v: %+v", err, list)
	}
	return list.Approvals[0].ID
}

func (s *stage) link(partnerID string) {
	s.t.Helper()
	if err := s.world.Sim.SetLink("contoso", partnerID); err != nil {
		s.t.Fatal(err)
	}
}

// addArguments add the tenant fabrikam of the simulated Azure.
func (s *stage) addArguments(name string) []string {
	tenant, _ := s.world.Sim.Tenant(name)
	cloud := s.world.Cloud()
	return []string{"tenants", "add", name, "--tenant-id", tenant.TenantID, "--client-id", s.world.Sim.ClientID(), "--secret-stdin", "--cloud", "custom",
		"--arm-endpoint", cloud.ARMEndpoint, "--arm-audience", cloud.ARMAudience, "--authority", cloud.Authority,
		"--ca-file", s.file("ca.pem", cloud.CAPEM), "--skip-instance-discovery"}
}

const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// change is a command line that changes something.
type change struct {
	name string
	// prepare comes before, and returns the command line's last arguments.
	prepare func(s *stage) []string
	args    []string
	input   func(s *stage) string
	typed   []string
	// made lists signs of the change: all of them are there, or none.
	made func(s *stage) []bool
}

func secretOf(s *stage) string { return s.world.Sim.ClientSecret() }

func passphrase(n int) []string {
	return []string{"correct horse battery staple", "correct horse battery staple"}[:n]
}

// changes are the commands that change something and need no person elsewhere.
func changes() []change {
	exists := func(name string) func(*stage) []bool {
		return func(s *stage) []bool {
			_, err := os.Stat(filepath.Join(s.home, name))
			return []bool{err == nil}
		}
	}
	seen := func(text string, args ...string) func(*stage) []bool {
		return func(s *stage) []bool { return []bool{s.shows(text, args...)} }
	}
	gone := func(text string, args ...string) func(*stage) []bool {
		return func(s *stage) []bool { return []bool{!s.shows(text, args...)} }
	}
	approver := func(s *stage) { s.must("", passphrase(2), "users", "add", "alice") }
	link := []string{"--tenants", "contoso", "--allow-writes", "--approval", "none", "--partner-ids", "1234567"}
	linked := func(s *stage) []bool {
		tenant, _ := s.world.Sim.Tenant("contoso")
		return []bool{tenant.PartnerID == "1234567"}
	}
	return []change{
		{name: "vault init", args: []string{"vault", "init", "--state-dir", "DIR/other"}, made: exists("other/vault.age")},
		{name: "tenants add", prepare: func(s *stage) []string { return s.addArguments("fabrikam") }, input: secretOf,
			made: func(s *stage) []bool {
				return []bool{s.shows("fabrikam", "tenants", "list"), s.shows(`"fabrikam"`, "vault", "list", "--json")}
			}},
		{name: "tenants set", args: []string{"tenants", "set", "contoso", "--label", "emea"}, made: seen("emea", "tenants", "list", "--json")},
		{name: "tenants remove", args: []string{"tenants", "remove", "contoso", "--keep-link"}, made: gone("contoso", "tenants", "list")},
		{name: "tenants import", prepare: func(s *stage) []string { return []string{s.file("in.csv", "name,labels\ncontoso,emea\n")} },
			args: []string{"tenants", "import", "--yes"}, made: seen("emea", "tenants", "list", "--json")},
		{name: "vault add", args: []string{"vault", "add", "spare", "--secret-stdin"}, input: secretOf, made: seen(`"spare"`, "vault", "list", "--json")},
		{name: "vault remove", prepare: func(s *stage) []string {
			s.must("a secret", nil, "vault", "add", "spare", "--secret-stdin")
			return nil
		}, args: []string{"vault", "remove", "spare"}, made: gone(`"spare"`, "vault", "list", "--json")},
		{name: "vault rotate-key", args: []string{"vault", "rotate-key"}, made: seen("encrypted again", "ledger", "list", "--json")},
		{name: "vault rotate-secret", args: []string{"vault", "rotate-secret", "contoso", "--secret-stdin"},
			input: func(s *stage) string { return s.world.Sim.RenewSecret() }, made: seen("replaced after the new one", "ledger", "list", "--json")},
		{name: "vault backup", prepare: func(s *stage) []string {
			return []string{filepath.Join(s.home, "backup.age"), "--backup-passphrase-file", s.file("phrase", "correct horse battery staple")}
		}, args: []string{"vault", "backup"}, made: exists("backup.age")},
		{name: "vault recipients add", args: []string{"vault", "recipients", "add", "bob", recipient}, made: seen("bob", "vault", "recipients", "list")},
		{name: "vault recipients remove", prepare: func(s *stage) []string {
			s.must("", nil, "vault", "recipients", "add", "bob", recipient)
			return nil
		}, args: []string{"vault", "recipients", "remove", "bob"}, made: gone("bob", "vault", "recipients", "list")},
		{name: "freeze", args: []string{"freeze", "--reason", "test"}, made: seen("freeze", "ledger", "list", "--json")},
		{name: "unfreeze", prepare: func(s *stage) []string {
			approver(s)
			s.must("", nil, "freeze", "--reason", "test")
			return nil
		}, args: []string{"unfreeze", "--approver", "alice"}, typed: passphrase(1), made: seen("unfreeze", "ledger", "list", "--json")},
		{name: "users add", args: []string{"users", "add", "alice"}, typed: passphrase(2), made: seen("alice", "users", "list")},
		{name: "approvals rotate-key", args: []string{"approvals", "rotate-key"}, made: seen("that seals questions", "ledger", "list", "--json")},
		{name: "token issue", args: []string{"token", "issue", "--for", "ci", "--tenants", "contoso"}, made: seen(`"state":"live"`, "token", "list", "--json")},
		{name: "clients add", args: []string{"clients", "add", "Portal", "--redirect", "https://portal.example.com/callback", "--secret"}, made: seen(`"name":"Portal"`, "clients", "list", "--json")},
		{name: "clients remove", prepare: func(s *stage) []string {
			var added struct {
				ID string `json:"client_id"`
			}
			if err := json.Unmarshal([]byte(s.must("", nil, "clients", "add", "Portal", "--redirect", "https://portal.example.com/callback", "--json")), &added); err != nil {
				s.t.Fatal(err)
			}
			return []string{added.ID}
		}, args: []string{"clients", "remove"}, made: gone(`"name":"Portal"`, "clients", "list", "--json")},
		{name: "token revoke", prepare: func(s *stage) []string {
			s.must("", nil, "token", "issue", "--for", "ci", "--tenants", "contoso")
			return nil
		}, args: []string{"token", "revoke", "--all"}, made: gone(`"state":"live"`, "token", "list", "--json")},
		{name: "install", args: []string{"install", "cursor", "--http", "https://partner.example/mcp"}, made: exists(".cursor/mcp.json")},
		{name: "uninstall", prepare: func(s *stage) []string {
			s.must("", nil, "install", "cursor", "--http", "https://partner.example/mcp")
			return nil
		}, args: []string{"uninstall", "cursor"}, made: func(s *stage) []bool {
			text, _ := os.ReadFile(filepath.Join(s.home, ".cursor/mcp.json"))
			return []bool{!bytes.Contains(text, []byte("partner.example"))}
		}},
		{name: "vault restore", prepare: func(s *stage) []string {
			phrase := s.file("phrase", "correct horse battery staple")
			backup := filepath.Join(s.home, "backup.age")
			s.must("", nil, "vault", "backup", backup, "--backup-passphrase-file", phrase)
			return []string{backup, "--backup-passphrase-file", phrase, "--force"}
		}, args: []string{"vault", "restore"}, made: seen("was restored", "ledger", "list", "--json")},
		{name: "users remove", prepare: func(s *stage) []string {
			approver(s)
			return nil
		}, args: []string{"users", "remove", "alice"}, typed: append([]string{"alice"}, passphrase(1)...), made: gone("alice", "users", "list", "--json")},
		{name: "users invite", args: []string{"users", "invite", "bob", "--public-url", "https://partner.example.com"}, typed: []string{"bob"}, made: seen("bob", "users", "list")},
		{name: "users reset", prepare: func(s *stage) []string {
			s.must("", []string{"bob"}, "users", "invite", "bob", "--public-url", "https://partner.example.com")
			return nil
		}, args: []string{"users", "reset", "bob", "--public-url", "https://partner.example.com"}, typed: []string{"bob"}, made: seen("reset and invited", "ledger", "list", "--json")},
		{name: "users sign-out", prepare: func(s *stage) []string {
			approver(s)
			return nil
		}, args: []string{"users", "sign-out", "alice"}, made: seen("signed out alice", "ledger", "list", "--json")},
		{name: "approvals deny", prepare: func(s *stage) []string { return []string{s.asked()} },
			args: []string{"approvals", "deny", "--reason", "no"}, made: seen(`"denied"`, "approvals", "list", "--json")},
		{name: "approvals approve", prepare: func(s *stage) []string {
			approver(s)
			return []string{s.asked()}
		}, args: []string{"approvals", "approve", "--approver", "alice"}, typed: passphrase(1), made: seen(`"approved"`, "approvals", "list", "--json")},
		{name: "vault login", prepare: func(s *stage) []string {
			if _, err := s.world.Sim.AddUser("alice", "fabrikam"); err != nil {
				s.t.Fatal(err)
			}
			s.world.Sim.ApproveDevices("alice")
			arguments := slices.DeleteFunc(s.addArguments("fabrikam"), func(a string) bool {
				return slices.Contains([]string{"--secret-stdin", "--client-id", s.world.Sim.ClientID()}, a)
			})
			s.must("", nil, append(arguments, "--kind", "device-code", "--credential", "alice")...)
			return nil
		}, args: []string{"vault", "login", "alice"}, made: seen("signed in for the credential", "ledger", "list", "--json")},
		{name: "ledger prune", prepare: func(s *stage) []string {
			s.must("", nil, "freeze", "--reason", "to be pruned")
			return []string{time.Now().UTC().Format(time.RFC3339Nano)}
		}, args: []string{"ledger", "prune", "--before"}, made: gone("to be pruned", "ledger", "list", "--json")},
		{name: "schedules add", args: []string{"schedules", "add", "nightly", "--cron", "@daily"}, made: seen("nightly", "schedules", "list", "--json")},
		{name: "schedules remove", prepare: func(s *stage) []string {
			s.must("", nil, "schedules", "add", "nightly", "--cron", "@daily")
			return nil
		}, args: []string{"schedules", "remove", "nightly"}, made: gone("nightly", "schedules", "list", "--json")},
		{name: "audit acknowledge", args: []string{"audit", "acknowledge", "contoso", "--note", "contract ends", "--until", "2999-12-31"}, made: seen("contract ends", "audit", "acknowledge", "--json")},
		{name: "audit label", prepare: func(s *stage) []string {
			s.must("", nil, "audit")
			return nil
		}, args: []string{"audit", "label", "latest", "2026-11"}, made: seen("2026-11", "audit", "list", "--json")},
		{name: "call update_partner", prepare: func(s *stage) []string {
			s.link("7654321")
			return nil
		}, args: append([]string{"call", "update_partner", "--tenant", "contoso", "--partner-id", "1234567"}, link[2:]...), made: linked},
		{name: "call remove_partner", prepare: func(s *stage) []string {
			s.link("1234567")
			return nil
		}, args: append([]string{"call", "remove_partner", "--tenant", "contoso", "--partner-id", "1234567"}, link[2:]...),
			made: func(s *stage) []bool { return []bool{!linked(s)[0]} }},
		{name: "transition", prepare: func(s *stage) []string {
			s.link("7654321")
			return nil
		}, args: append([]string{"transition", "--from", "7654321", "--to", "1234567"}, link...), made: linked},
		{name: "call register_partner", args: append([]string{"call", "register_partner", "--tenant", "contoso", "--partner-id", "1234567"}, link[2:]...), made: linked},
		{name: "ensure", args: append([]string{"ensure", "--partner-id", "1234567"}, link...), made: linked},
		{name: "setup", prepare: func(s *stage) []string { return append([]string{"setup", "--yes"}, s.addArguments("fabrikam")[2:]...) },
			input: secretOf, made: seen("fabrikam", "tenants", "list")},
	}
}

// A change is made or it is not, whatever becomes of the output, and the exit
// code says which.
func TestFailedOutputLeavesNoPartialChange(t *testing.T) {
	t.Parallel()
	for _, c := range changes() {
		for kind, output := range badOutputs() {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				if kind != "full" {
					testkit.SkipShort(t, testkit.Properties)
				}
				s := newStage(t)
				args := slices.Clone(c.args)
				if c.prepare != nil {
					args = append(args, c.prepare(s)...)
				}
				for i := range args {
					args[i] = strings.Replace(args[i], "DIR/", s.home+"/", 1)
				}
				input := ""
				if c.input != nil {
					input = c.input(s)
				}
				code := s.run(output(t), input, c.typed, args...)
				for i, made := range c.made(s) {
					if made != (code == 0) {
						t.Errorf("the exit code is %d, and sign %d of the change is %v", code, i, made)
					}
				}
				if kind == "slow" && code != 0 {
					t.Errorf("with a slow output it ended with %d", code)
				}
			})
		}
	}
}

// --yes has agreed to a difference that nobody reads.
func TestImportWithYesIsMadeWhateverBecomesOfTheOutput(t *testing.T) {
	t.Parallel()
	for kind, output := range badOutputs() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			code := s.run(output(t), "", nil, "tenants", "import", s.file("in.csv", "name,labels\ncontoso,emea\n"), "--yes")
			if made := strings.Contains(s.must("", nil, "tenants", "list", "--json"), "emea"); code != 0 || !made {
				t.Errorf("the exit code is %d, and the change was made: %v", code, made)
			}
		})
	}
}

// otherCommands change nothing in a state directory or at Azure, or need more than
// a terminal here.
func otherCommands() []string {
	return []string{
		"audit", "audit list", "audit show", "audit resume", "audit changes", "check", "find", "tools", "doctor", "health", "demo", "openapi", "version",
		"approvals list", "approvals show", "users list", "users confirm", "policy test", "token list", "clients list", "simulate", "serve",
		"ledger list", "ledger export", "ledger head", "ledger verify", "tenants list", "tenants export", "tenants discover", "tenants consent-links",
		"vault status", "vault list", "vault show", "vault test", "vault recipients list", "pec roles", "pec reconcile", "schedules list", "schedules run", "migrate",
	}
}

// A new command is tried with outputs that fail, or has its reason not to be.
func TestEveryChangeHasFailedOutputCase(t *testing.T) {
	t.Parallel()
	known := otherCommands()
	for _, c := range changes() {
		known = append(known, c.name)
	}
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		name := strings.TrimPrefix(command.CommandPath(), "mcp-partner ")
		if name == "call" || name == "completion" || name == "help" {
			return
		}
		if !command.HasSubCommands() && !slices.Contains(known, name) {
			t.Errorf("%s is neither among changes nor among otherCommands", name)
		}
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(NewRoot(cmdutil.NewDeps(testStreams(nil))))
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, world: startWorldOf(t, 3), dir: stateWithVault(t), home: t.TempDir()}
	inhabit(t, s.dir, s.world)
	if err := s.world.Sim.ClearLink("contoso"); err != nil {
		t.Fatal(err)
	}
	return s
}
