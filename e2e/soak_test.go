package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

const (
	// soakVariable names how long the soak takes, as .ci/run --full sets it.
	soakVariable = "E2E_SOAK"
	shortSoak    = 3 * time.Second
	// soakSamples is how often memory is looked at.
	soakSamples = 6
	// soakGrowth is how much more memory the program may have in the second half
	// than at the end of the first, in kB: what a garbage collector leaves lying.
	soakGrowth = 24 << 10
)

// TestSoak keeps a server under load and wants its memory flat: calls that end
// well and that do not, notifications, subscriptions, and clients that leave.
func TestSoak(t *testing.T) {
	t.Parallel()
	if len(raceFlags()) > 0 {
		t.Skip("the race detector remembers every access, so its memory grows; the lanes test and soak measure without it")
	}
	length := shortSoak
	if text := os.Getenv(soakVariable); text != "" {
		given, err := time.ParseDuration(text)
		check(t, err)
		length = given
	}
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	s := w.cli("serve", "--http", "127.0.0.1:0", "--log-level", "error").start(t)
	connection := s.connection()
	if resident(s.command.Process.Pid) == 0 {
		t.Skip("this system does not tell how much memory a process has")
	}
	soak(t, connection, length/soakSamples) // caches and pools fill
	var memory []float64
	for range soakSamples {
		soak(t, connection, length/soakSamples)
		memory = append(memory, resident(s.command.Process.Pid))
	}
	t.Logf("resident kB over %s: %.0f", length, memory)
	middle, end := memory[soakSamples/2-1], memory[soakSamples-1]
	if end > middle+soakGrowth {
		t.Errorf("memory grew from %.0f to %.0f kB", middle, end)
	}
	s.signal()
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
}

// soak has eight clients call for a while.
func soak(t *testing.T, c connection, length time.Duration) {
	t.Helper()
	until := time.Now().Add(length)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				if err := soakOnce(c, i, n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// soakOnce makes one client that connects, does a few things and leaves.
func soakOnce(c connection, i, n int) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	era := wiretest.Eras()[n%2]
	for _, tool := range []string{schemas.ToolListTenants, schemas.ToolCheckPartnerLink, schemas.ToolFindPartnerTool, schemas.ToolRegisterPartner} {
		arguments := wiretest.Object{"tenant": "contoso"}
		switch tool {
		case schemas.ToolListTenants:
			arguments = wiretest.Object{}
		case schemas.ToolFindPartnerTool:
			arguments = wiretest.Object{"query": fmt.Sprintf("link number %d of client %d", n, i)}
		case schemas.ToolRegisterPartner:
			arguments["partner_id"] = ourID // refused: writes are off
		}
		call := loaded{name: tool, url: c.URL, token: c.Token, tool: tool, wants: `"structuredContent"`,
			body: map[wiretest.Era]string{era: era.Call(n, tool, arguments)}}
		if err := call.call(client, era); err != nil {
			return err
		}
	}
	return hangUp(client, c)
}

// hangUp opens a subscription and leaves.
func hangUp(client *http.Client, c connection) error {
	body := wiretest.Modern.Request("sub", "subscriptions/listen", wiretest.Object{"notifications": wiretest.Object{"toolsListChanged": true}}, nil)
	r, err := http.NewRequest(http.MethodPost, c.URL, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + c.Token},
		"Mcp-Protocol-Version": {string(wiretest.Modern)}, "Mcp-Method": {"subscriptions/listen"},
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	_, _ = response.Body.Read(make([]byte, 64))
	return response.Body.Close()
}
