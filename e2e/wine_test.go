package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"mcp-partner/internal/wiretest"
)

// wine runs the program for Windows, in a prefix that the lane made.
type wine struct {
	t *testing.T
	// drive is drive C.
	drive string
}

func (w *wine) command(args ...string) *exec.Cmd {
	command := exec.CommandContext(w.t.Context(), "wine", append([]string{os.Getenv("WINE_UNDER_TEST")}, args...)...)
	command.Env = append(os.Environ(), `MCP_PARTNER_STATE_DIR=C:\state`)
	return command
}

// run returns what a command printed, without the returns that Windows adds.
func (w *wine) run(input string, args ...string) string {
	w.t.Helper()
	command := w.command(args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

func (w *wine) says(text string, want ...string) {
	w.t.Helper()
	for _, part := range want {
		if !strings.Contains(text, part) {
			w.t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

// simulate starts Azure, in the program for Windows too, until the test ends.
func (w *wine) simulate() (announced struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Authority    string
	ARM          string `json:"arm_endpoint"`
	Audience     string
	Tenants      []struct {
		Name     string
		TenantID string `json:"tenant_id"`
	}
},
) {
	w.t.Helper()
	azure := w.command("simulate", "--listen", "127.0.0.1:0", "--tenants", "6", "--tenants-out", `C:\tenants.csv`, "--ca-out", `C:\ca.pem`, "--until-stdin-closes")
	in, err := azure.StdinPipe()
	check(w.t, err)
	out, err := azure.StdoutPipe()
	check(w.t, err)
	check(w.t, azure.Start())
	w.t.Cleanup(func() { _, _ = in.Close(), azure.Wait() })
	check(w.t, json.NewDecoder(out).Decode(&announced))
	return announced
}

// inUTF16 is a file as Excel saves it: with a mark, in UTF-16, with CRLF.
func inUTF16(text string) []byte {
	var out bytes.Buffer
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		out.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	return out.Bytes()
}

// TestWindowsProgram goes through a first day: the demo, a vault, setup, an import, an
// audit, a client's configuration and a call.
func TestWindowsProgram(t *testing.T) {
	if os.Getenv("WINE_UNDER_TEST") == "" {
		t.Skip("WINE_UNDER_TEST is not set: bash .ci/run wine builds the program for Windows and sets it")
	}
	w := &wine{t, filepath.Join(os.Getenv("WINEPREFIX"), "drive_c")}
	w.says(w.run("", "demo"), "All 14 steps ended as they should.")
	azure := w.simulate()
	w.says(w.run("", "vault", "init"), `Created an empty vault in C:\state.`)
	contoso := azure.Tenants[0]
	w.says(w.run(azure.ClientSecret, "setup", contoso.Name, "--yes", "--partner-ids", "1234567", "--tenant-id", contoso.TenantID, "--client-id", azure.ClientID, "--secret-stdin",
		"--cloud", "custom", "--arm-endpoint", azure.ARM, "--arm-audience", azure.Audience, "--authority", azure.Authority, "--ca-file", `C:\ca.pem`, "--skip-instance-discovery", "--client", "cursor"),
		contoso.Name, "Cursor")
	csv, err := os.ReadFile(filepath.Join(w.drive, "tenants.csv"))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(w.drive, "export.csv"), inUTF16(string(csv)), 0o600))
	w.says(w.run(azure.ClientSecret, "tenants", "import", `C:\export.csv`, "--credential", "simulator", "--client-id", azure.ClientID, "--secret-stdin", "--yes"), "5 added")
	w.says(w.run("", "audit", "--expected", "1234567"), "6 tenants checked: ", "not linked")
	w.run("", "audit", "--format", "html", "--output", `C:\links.html`)
	if report, err := os.ReadFile(filepath.Join(w.drive, "links.html")); err != nil || !bytes.Contains(report, []byte("</html>")) {
		t.Errorf("the report: %v, %d bytes", err, len(report))
	}
	w.says(w.run("", "vault", "status"), "holds 2 secrets")
	w.says(strings.Join(strings.Fields(w.run("", "doctor")), " "), `C:\state lies outside of your profile`, "icacls", "ledger")
	w.wiresClients()
	w.serves(contoso.Name)
}

// wiresClients looks at the file of a client, which keeps what else is in it.
func (w *wine) wiresClients() {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.drive, "users", "*", ".cursor", "mcp.json"))
	if err != nil || len(files) != 1 {
		w.t.Fatalf("Cursor's file: %v, %v", files, err)
	}
	check(w.t, os.WriteFile(files[0], []byte(`{"mcpServers":{"other":{"command":"C:\\other.exe"}}}`), 0o600))
	var file struct {
		Servers map[string]struct {
			Command string
			Args    []string
		} `json:"mcpServers"`
	}
	read := func() {
		text, err := os.ReadFile(files[0])
		check(w.t, err)
		file.Servers = nil
		check(w.t, json.Unmarshal(text, &file))
	}
	w.run("", "install", "cursor")
	if read(); len(file.Servers) != 2 || !strings.HasSuffix(file.Servers["partner"].Command, ".exe") || file.Servers["partner"].Args[2] != `C:\state` {
		w.t.Errorf("installed: %+v", file.Servers)
	}
	w.run("", "uninstall", "cursor")
	if read(); len(file.Servers) != 1 || file.Servers["other"].Command != `C:\other.exe` {
		w.t.Errorf("uninstalled: %+v", file.Servers)
	}
}

// serves calls a tool over stdio, as a client that was configured does.
func (w *wine) serves(tenant string) {
	w.t.Helper()
	server := w.command("serve")
	in, err := server.StdinPipe()
	check(w.t, err)
	out, err := server.StdoutPipe()
	check(w.t, err)
	check(w.t, server.Start())
	lines := bufio.NewScanner(out)
	ask := func(message string) wiretest.Reply {
		_, err := io.WriteString(in, message+"\n")
		check(w.t, err)
		for lines.Scan() {
			if reply := wiretest.Parse(w.t, lines.Bytes()); reply.Method == "" {
				return reply
			}
		}
		w.t.Fatal("no answer", lines.Err())
		return wiretest.Reply{}
	}
	ask(wiretest.Initialize(string(wiretest.Legacy), nil))
	_, err = io.WriteString(in, wiretest.Legacy.Notification("notifications/initialized", nil)+"\n")
	check(w.t, err)
	reply := ask(wiretest.Legacy.Call("c-1", "check_partner_link", wiretest.Object{"tenant": tenant}))
	w.says(string(reply.Raw), `"status":"done"`, `"partner_id"`)
	check(w.t, in.Close())
	check(w.t, server.Wait())
}
