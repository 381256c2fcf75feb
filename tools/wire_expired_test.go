package tools_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/simulator"
)

// anyone lets everybody in as one caller.
type anyone struct{}

// Takes implements server.Authenticator.
func (anyone) Takes(string) bool { return true }

// Authenticate implements server.Authenticator.
func (anyone) Authenticate(context.Context, string) (access.Principal, error) {
	return trusted("wire"), nil
}

// late is the call path behind the real transports, over a clock that a test
// moves.
type late struct {
	*fixture
	clock *testkit.Clock
}

func newLate(t *testing.T, ask access.Approval) *late {
	t.Helper()
	l := &late{clock: testkit.NewSteppingClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Millisecond)}
	l.fixture = build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) {
		o.Store, o.Now, o.Approval = ledgertest.New(t, l.clock.Now), l.clock.Now, ask
	})
	return l
}

// onEachWire runs a test over both transports in some eras.
func onEachWire(t *testing.T, ask access.Approval, eras []wiretest.Era, test func(t *testing.T, l *late, era wiretest.Era, say func(string) wiretest.Reply)) {
	for _, era := range eras {
		t.Run("stdio/"+string(era), func(t *testing.T) {
			t.Parallel()
			l := newLate(t, ask)
			say := l.overStdio(t)
			if era == wiretest.Legacy {
				say(wiretest.Initialize(string(era), nil))
			}
			test(t, l, era, say)
		})
		t.Run("http/"+string(era), func(t *testing.T) {
			t.Parallel()
			l := newLate(t, ask)
			test(t, l, era, l.overHTTP(t))
		})
	}
}

// overStdio serves on pipes. What it returns sends a request and returns the
// response, which progress may come before.
func (l *late) overStdio(t *testing.T) func(string) wiretest.Reply {
	t.Helper()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	go func() {
		_ = toClient.CloseWithError(l.serving().ServeStdio(t.Context(), fromClient, toClient, trusted("wire")))
	}()
	t.Cleanup(func() { _ = errors.Join(toServer.Close(), fromServer.Close()) })
	lines := bufio.NewReader(fromServer)
	return func(message string) wiretest.Reply {
		if _, err := io.WriteString(toServer, message+"\n"); err != nil {
			t.Fatal(err)
		}
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			if reply := wiretest.Parse(t, line); reply.Method == "" {
				return reply
			}
		}
	}
}

func (l *late) overHTTP(t *testing.T) func(string) wiretest.Reply {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = l.serving().ServeListener(t.Context(), listener, server.HTTPOptions{Bearer: server.Authenticators{anyone{}}})
	}()
	c := wiretest.HTTPAt(t, "http://"+listener.Addr().String()+"/mcp", "x", &http.Transport{})
	return func(message string) wiretest.Reply { return c.Post(message).Last(t) }
}

func (l *late) serving() *server.Server {
	return server.New(server.Options{Name: "late", Version: "1", Registrar: l.service, Authorize: l.service.Authorize})
}

func envelopeOf(t *testing.T, reply wiretest.Reply) answers.Envelope {
	t.Helper()
	var result struct{ StructuredContent answers.Envelope }
	if err := json.Unmarshal(reply.Result, &result); err != nil {
		t.Fatalf("%v in %s", err, reply.Raw)
	}
	return result.StructuredContent
}

func wantProblem(t *testing.T, reply wiretest.Reply, code problems.Code) {
	t.Helper()
	if got := envelopeOf(t, reply); got.Problem == nil || got.Problem.Code != code {
		t.Errorf("%s, want %s", reply.Raw, code)
	}
}

// A question in the client lives for five minutes; the right answer afterwards
// is refused, and so is the same answer in time again.
func TestLateConfirmationIsRefused(t *testing.T) {
	t.Parallel()
	// An older client is asked while its call waits, or not at all.
	onEachWire(t, access.ApprovalRequester, []wiretest.Era{wiretest.Modern}, func(t *testing.T, l *late, era wiretest.Era, say func(string) wiretest.Reply) {
		params := wiretest.Object{"name": schemas.ToolRegisterPartner, "arguments": wiretest.Object{"tenant": "contoso", "partner_id": "1234567"}}
		asked := say(era.Request(1, "tools/call", params, wiretest.Object{"elicitation": wiretest.Object{}}))
		state, _ := asked.Path("requestState").(string)
		if state == "" {
			t.Fatalf("nobody was asked: %s", asked.Raw)
		}
		params["requestState"] = state
		params["inputResponses"] = wiretest.Object{"confirm": wiretest.Object{"action": "accept", "content": wiretest.Object{"confirmation": "1234567"}}}
		l.clock.Advance(guard.InBandLife)
		for id := range 2 {
			wantProblem(t, say(era.Request(id+2, "tools/call", params, wiretest.Object{"elicitation": wiretest.Object{}})), problems.CodeApprovalExpired)
		}
		if l.writes() != 0 {
			t.Errorf("%d writes", l.writes())
		}
	})
}

// An approval lives for a day, whether somebody approved or not; silence is
// never a consent.
func TestExpiredApprovalIsRefused(t *testing.T) {
	t.Parallel()
	onEachWire(t, access.ApprovalApprover, wiretest.Eras(), func(t *testing.T, l *late, era wiretest.Era, say func(string) wiretest.Reply) {
		l.approver()
		call := func(more string) wiretest.Reply {
			var arguments wiretest.Object
			if err := json.Unmarshal(fmt.Appendf(nil, `{"tenant":"contoso","partner_id":"1234567"%s}`, more), &arguments); err != nil {
				t.Fatal(err)
			}
			return say(era.Call(1, schemas.ToolRegisterPartner, arguments))
		}
		state := func(id string) string {
			return envelopeOf(t, say(era.Call(2, schemas.ToolGetApproval, wiretest.Object{"approval_id": id}))).Approval.State
		}
		silent := envelopeOf(t, call("")).Approval.ID
		if got := state(silent); got != "pending" {
			t.Errorf("after asking: %s", got)
		}
		l.clock.Advance(guard.ApproverLife)
		if got := state(silent); got != "expired" {
			t.Errorf("after a day of silence: %s", got)
		}
		approved := envelopeOf(t, call("")).Approval.ID
		if approved == silent {
			t.Fatal("a new question joined one that has expired")
		}
		l.approve(approved)
		l.clock.Advance(guard.ApproverLife)
		for _, id := range []string{silent, approved} {
			wantProblem(t, call(fmt.Sprintf(`,"approval_id":%q`, id)), problems.CodeApprovalExpired)
		}
		if l.writes() != 0 {
			t.Errorf("%d writes", l.writes())
		}
	})
}
