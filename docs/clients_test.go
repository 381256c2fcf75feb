package docs_test

import (
	"encoding/json"
	"regexp"
	"testing"
)

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// launch is how a client starts a server over stdio.
type launch struct {
	Command string
	Args    []string
}

// TestClientBlocks holds the blocks to the form that clients read. The e2e
// tests start the server from them.
func TestClientBlocks(t *testing.T) {
	t.Parallel()
	blocks := jsonBlock.FindAllStringSubmatch(read(t, "clients.md"), -1)
	if len(blocks) != 4 {
		t.Errorf("clients.md has %d blocks of JSON, want one for each of 4 clients", len(blocks))
	}
	for i, block := range blocks {
		var file struct{ MCPServers, Servers map[string]launch }
		if err := json.Unmarshal([]byte(block[1]), &file); err != nil {
			t.Errorf("block %d: %v", i+1, err)
			continue
		}
		if len(file.MCPServers)+len(file.Servers) != 1 {
			t.Errorf("block %d does not name exactly one server", i+1)
		}
		for _, servers := range []map[string]launch{file.MCPServers, file.Servers} {
			for name, server := range servers {
				checkLaunch(t, name, server)
			}
		}
	}
}

func checkLaunch(t *testing.T, name string, server launch) {
	t.Helper()
	want := []string{"serve", "--state-dir", "/absolute/path/to/state"}
	if server.Command != "/absolute/path/to/mcp-partner" || len(server.Args) != len(want) {
		t.Fatalf("server %s is started with %q %q", name, server.Command, server.Args)
	}
	for i := range want {
		if server.Args[i] != want[i] {
			t.Errorf("server %s is started with %q, want %q", name, server.Args, want)
		}
	}
}
