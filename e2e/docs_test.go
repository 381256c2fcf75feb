package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

const (
	clientsPage = "docs/clients.md"
	readmePage  = "README.md"
	// The paths that the documents tell a reader to replace.
	commandPath = "/absolute/path/to/mcp-partner"
	statePath   = "/absolute/path/to/state"
)

// launch is how a client's configuration says to start a server.
type launch struct {
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
}

// launches returns the servers of all JSON blocks of a document.
func launches(t *testing.T, page string) []launch {
	t.Helper()
	var found []launch
	for _, block := range regexp.MustCompile("(?s)\n```json\n(.*?)\n```").FindAllStringSubmatch(document(t, page), -1) {
		var file struct {
			MCPServers map[string]launch `json:"mcpServers"`
			Servers    map[string]launch `json:"servers"`
		}
		if err := json.Unmarshal([]byte(block[1]), &file); err != nil {
			t.Fatalf("%s: a block that is no JSON: %v\n%s", page, err, block[1])
		}
		found = slices.AppendSeq(found, maps.Values(file.MCPServers))
		found = slices.AppendSeq(found, maps.Values(file.Servers))
	}
	return found
}

func document(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prepare replaces the two paths, and nothing else.
func (l launch) prepare(t *testing.T, state string) invocation {
	t.Helper()
	if l.Command != commandPath || !slices.Contains(l.Args, statePath) {
		t.Fatalf("a block starts %q %q; the tests and readers replace %s and %s", l.Command, l.Args, commandPath, statePath)
	}
	i := invocation{path: binary, env: []string{"PATH=", "HOME="}, dir: t.TempDir()}
	for _, arg := range l.Args {
		i.args = append(i.args, strings.ReplaceAll(arg, statePath, state))
	}
	for name, value := range l.Env {
		i.env = append(i.env, name+"="+value)
	}
	return i
}

// The blocks for Claude Desktop, Claude Code, Cursor and VS Code start a server
// that works, using only what they contain, against a simulator in another
// process, with tenants that were imported.
func TestClientBlocks(t *testing.T) {
	t.Parallel()
	state := imported(t)
	for page, least := range map[string]int{clientsPage: 4, readmePage: 2} {
		blocks := launches(t, page)
		if len(blocks) < least {
			t.Errorf("%s has %d blocks, want %d", page, len(blocks), least)
		}
		for _, block := range blocks {
			for _, era := range wiretest.Eras() {
				tryServer(t, era, block.prepare(t, state))
			}
		}
	}
}

func tryServer(t *testing.T, era wiretest.Era, i invocation) {
	t.Helper()
	s := i.start(t)
	if hello := s.greet(era); hello.Path("instructions") == nil {
		t.Errorf("greeting: %s", hello.Raw)
	}
	tools, _ := s.ask(era.Request(1, "tools/list", nil, nil)).Path("tools").([]any)
	if len(tools) != len(schemas.Catalogue()) {
		t.Errorf("tools/list has %d tools", len(tools))
	}
	reply := s.ask(era.Call(2, schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": "contoso"}))
	if reply.Path("structuredContent", "status") != "done" || reply.Path("structuredContent", "identity", "tenant") != "contoso" {
		t.Errorf("check_partner_link: %s", reply.Raw)
	}
	s.rest()
}

// announced is what simulate says when it is ready.
type announced struct {
	URL          string `json:"url"`
	ARMEndpoint  string `json:"arm_endpoint"`
	Authority    string `json:"authority"`
	Audience     string `json:"audience"`
	CAFile       string `json:"ca_file"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Tenants      []struct {
		Name      string  `json:"name"`
		TenantID  string  `json:"tenant_id"`
		ObjectID  string  `json:"object_id"`
		PartnerID *string `json:"partner_id"`
	} `json:"tenants"`
}

// simulate runs the simulator as a server of its own until the test ends.
func simulate(t *testing.T, args ...string) announced {
	t.Helper()
	s := invocation{args: append([]string{"simulate", "--listen", "127.0.0.1:0", "--until-stdin-closes"}, args...)}.start(t)
	t.Cleanup(func() {
		s.end()
		if code := s.code(); code != 0 {
			t.Errorf("simulate ended with %d:\n%s", code, s.errs)
		}
	})
	var ready announced
	if err := json.Unmarshal(s.line(), &ready); err != nil || len(ready.Tenants) == 0 {
		t.Fatalf("simulate said %+v, %v", ready, err)
	}
	return ready
}

// imported makes a state directory from what simulate writes.
func imported(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	state, list := filepath.Join(dir, "state"), filepath.Join(dir, "tenants.csv")
	ready := simulate(t, "--tenants", "3", "--ca-out", filepath.Join(dir, "ca.pem"), "--tenants-out", list)
	invocation{args: []string{"vault", "init", "--state-dir", state}}.must(t)
	i := invocation{args: []string{"tenants", "import", list, "--secret-stdin", "--yes", "--state-dir", state}, stdin: ready.ClientSecret}
	if o := i.must(t); !strings.Contains(o.stdout, "3 added") {
		t.Fatalf("the import said: %s", o.both())
	}
	return state
}

// The commands of the README for real use work exactly as printed, with the
// GUIDs and the secret put in. Where the credential is sent is the one thing
// that differs from a real tenant; it has to be typed, so it is put in as well.
func TestReadmeRealUse(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal("the README's commands need a shell")
	}
	dir := t.TempDir()
	ready := simulate(t, "--tenants", "2", "--ca-out", filepath.Join(dir, "ca.pem"))
	writeFile(t, dir, "secret.txt", ready.ClientSecret+"\n")
	if err := os.Symlink(binary, filepath.Join(dir, "mcp-partner")); err != nil {
		t.Fatal(err)
	}
	lines := realUse(t)
	if !strings.HasPrefix(lines[0], "go build -o mcp-partner ") {
		t.Errorf("the first command builds the program: %s", lines[0])
	}
	for _, line := range lines[1:] {
		line = strings.Replace(line, "--tenant-id GUID", "--tenant-id "+ready.Tenants[0].TenantID, 1)
		line = strings.Replace(line, "--client-id GUID", "--client-id "+ready.ClientID, 1)
		line = strings.Replace(line, "--secret-stdin", "--secret-stdin "+ready.cloud(), 1)
		o := invocation{path: shell, args: []string{"-c", line}, dir: dir, env: []string{"HOME=" + dir}}.must(t)
		if strings.Contains(line, "check_partner_link") && !strings.Contains(o.stdout, "This identity in tenant contoso ") {
			t.Errorf("%s said: %s", line, o.both())
		}
	}
}

// realUse returns the commands between the README's marks.
func realUse(t *testing.T) []string {
	t.Helper()
	block := regexp.MustCompile("(?s)<!-- real-use:begin -->\n```sh\n(.*?)\n```\n<!-- real-use:end -->").FindStringSubmatch(document(t, readmePage))
	if block == nil {
		t.Fatal("the README has no block real-use")
	}
	return strings.Split(block[1], "\n")
}

// cloud are the flags that lead a tenant's credential to the simulator.
func (a announced) cloud() string {
	return fmt.Sprintf("--cloud custom --arm-endpoint %s --arm-audience %s --authority %s --ca-file '%s' --skip-instance-discovery",
		a.ARMEndpoint, a.Audience, a.Authority, a.CAFile)
}
