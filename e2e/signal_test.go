package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

const (
	ourID   = "1234567"
	otherID = "7654321"
)

// slowWorld has one tenant whose next write takes its time to be answered.
func slowWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	w.sim.Inject(simulator.Rule{Kind: simulator.FaultSlowWrite, Delay: 1500 * time.Millisecond, Times: 1})
	return w
}

// unasked starts a server that writes without a person, inside a bound.
func (w *world) unasked(more ...string) invocation {
	return w.cli(append([]string{"serve", "--allow-writes", "--approval", "none", "--partner-ids", ourID}, more...)...)
}

func (w *world) awaitWrite() {
	w.tb.Helper()
	select {
	case <-w.tap.seen:
	case <-time.After(patience):
		w.tb.Fatal("no write arrived")
	}
}

func (w *world) register() wiretest.Object {
	return wiretest.Object{"tenant": "contoso", "partner_id": ourID}
}

// A signal in the middle of a write does not cut it off: it is read back,
// answered, and only then the program ends, and ends well.
func TestSignalDuringAWriteOnStdio(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	s := w.unasked().start(t)
	s.greet(wiretest.Legacy)
	s.send(wiretest.Legacy.Call(1, schemas.ToolRegisterPartner, w.register()))
	w.awaitWrite()
	s.signal()
	reply := s.reply()
	if status := reply.Path("structuredContent", "status"); status != "done" {
		t.Errorf("the write was answered with %s", reply.Raw)
	}
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
	if linked := w.tenant("contoso").PartnerID; linked != ourID {
		t.Errorf("linked is %q", linked)
	}
}

func TestSignalDuringAWriteOverHTTP(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	s := w.unasked("--http", "127.0.0.1:0").start(t)
	connection := s.connection()
	answers := make(chan string, 1)
	go func() {
		answer, _ := connection.post(wiretest.Modern.Call(1, schemas.ToolRegisterPartner, w.register()), schemas.ToolRegisterPartner)
		answers <- answer
	}()
	w.awaitWrite()
	s.signal()
	if answer := <-answers; !strings.Contains(answer, `"status":"done"`) {
		t.Errorf("the write was answered with %s", answer)
	}
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
}

// A client that goes away in the middle of a write does not stop it either.
func TestClientGoneDuringAWrite(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	s := w.unasked().start(t)
	s.greet(wiretest.Legacy)
	s.send(wiretest.Legacy.Call(1, schemas.ToolRegisterPartner, w.register()))
	w.awaitWrite()
	s.end()
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
	if log := s.errs.String(); !strings.Contains(log, "tool=register_partner outcome=done") {
		t.Errorf("the write's outcome is not in the log:\n%s", log)
	}
}

// connection is how a client reaches a server over HTTP.
type connection struct {
	URL, Token string
	ExpiresAt  time.Time `json:"expires_at"`
}

// connection reads the line that serve --http prints.
func (s *server) connection() connection {
	s.tb.Helper()
	var c connection
	if err := json.Unmarshal(s.line(), &c); err != nil || c.URL == "" || c.Token == "" || c.ExpiresAt.IsZero() {
		s.tb.Fatalf("serve --http said %+v, %v", c, err)
	}
	return c
}

// post sends one message of 2026-07-28, for a tool if it is a call, and returns
// the body of the answer.
func (c connection) post(message, tool string) (string, error) {
	request, err := http.NewRequest(http.MethodPost, c.URL, strings.NewReader(message))
	if err != nil {
		return "", err
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Authorization": {"Bearer " + c.Token}, "Mcp-Protocol-Version": {string(wiretest.Modern)},
		"Mcp-Method": {methodOf(message)}, "Mcp-Name": {tool},
	}
	if tool == "" {
		request.Header.Del("Mcp-Name")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	return body.String(), err
}

func methodOf(message string) string {
	var m struct{ Method string }
	_ = json.Unmarshal([]byte(message), &m) // a message without one has none
	return m.Method
}
