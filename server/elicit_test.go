package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/wiretest"
)

var canElicit = wiretest.Object{"elicitation": wiretest.Object{}}

func respond(id json.RawMessage, body string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, id, body)
}

func TestElicitationAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"result":{"action":"accept","content":{}}`:                     "accept",
		`"result":{"action":"decline"}`:                                 "decline",
		`"result":{"action":"cancel"}`:                                  "cancel",
		`"result":{"action":"yes"}`:                                     "error: the client's answer to elicitation/create has no known action",
		`"result":5`:                                                    "error: the client's answer to elicitation/create cannot be read",
		`"result":{"action":"decline","action":"accept"}`:               `error: the client's answer to elicitation/create is ambiguous: result has the member "action" twice. Send it once.`,
		`"result":{"action":"accept","content":{"ok":false,"ok":true}}`: `error: the client's answer to elicitation/create is ambiguous: result.content has the member "ok" twice. Send it once.`,
		`"error":{"code":-1,"message":"no"}`:                            "error: the client answered elicitation/create with an error",
	} {
		c := startStdio(t, newFixtures())
		c.Handshake(canElicit)
		question := c.Ask(wiretest.Legacy.Call(1, "ask", nil))
		if question.Method != "elicitation/create" || question.Param("message") != "Sure?" {
			t.Fatalf("got %s", question.Raw)
		}
		wantText(t, c.Ask(respond(question.ID, body)), want)
	}
}

func TestElicitationNeedsClientCapability(t *testing.T) {
	t.Parallel()
	c := startStdio(t, newFixtures())
	c.Handshake(nil)
	wantText(t, c.Ask(wiretest.Legacy.Call(1, "ask", nil)), "error: session does not support elicitation")
	modern := wiretest.Modern.Request(2, "tools/call", wiretest.Object{"name": "ask"}, canElicit)
	if got := resultText(c.Ask(modern)); !strings.HasPrefix(got, "error: ") {
		t.Errorf("a 2026-07-28 client was asked by a request: %s", got)
	}
	wantText(t, c.Ask(wiretest.Legacy.Call(3, "ask", nil)), "error: session does not support elicitation")
	h := startHTTP(t, newFixtures())
	wantText(t, h.Post(wiretest.Legacy.Call(1, "ask", nil)).Last(t), "error: session does not support elicitation")
}

func TestUnansweredQuestionsDoNotBlock(t *testing.T) {
	t.Parallel()
	const questions = 70 // more than may run at once
	c := serveStdio(t, newServer(newFixtures(), nil), tester(""))
	c.Handshake(canElicit)
	ids := map[string]bool{}
	for i := range questions {
		ids[string(c.Ask(wiretest.Legacy.Call(i, "ask", nil)).ID)] = true
	}
	if len(ids) != questions {
		t.Errorf("questions share IDs: %v", ids)
	}
	wantText(t, c.Ask(wiretest.Legacy.Call("x", "echo", wiretest.Object{"text": "on"})), "on")
	c.CloseInput()
	rest, err := c.Rest()
	if err != nil || len(rest) != questions {
		t.Fatalf("got %d answers, %v", len(rest), err)
	}
	for _, reply := range rest {
		if !strings.Contains(resultText(reply), "the client went away") {
			t.Errorf("got %s", reply.Raw)
		}
	}
}

func TestElicitationTimesOutAndIsWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, elicitationTimesOut)
}

func elicitationTimesOut(t *testing.T) {
	c := startStdio(t, newFixtures())
	c.Handshake(canElicit)
	question := c.Ask(wiretest.Legacy.Call(1, "ask", nil))
	time.Sleep(2 * time.Minute)
	withdrawn := c.Next()
	var id string
	if json.Unmarshal(question.ID, &id) != nil || withdrawn.Method != "notifications/cancelled" || withdrawn.Param("requestId") != id {
		t.Errorf("not withdrawn: %s", withdrawn.Raw)
	}
	wantText(t, c.Next(), "error: nobody answered: context deadline exceeded")
	c.Send(respond(question.ID, `"result":{"action":"accept"}`))
	wantText(t, c.Ask(wiretest.Legacy.Call(2, "echo", wiretest.Object{"text": "on"})), "on")
}

func TestOnlyOlderStdioClientsAreAskedInBand(t *testing.T) {
	t.Parallel()
	stdio, http := startStdio(t, newFixtures()), startHTTP(t, newFixtures())
	wantText(t, stdio.Ask(wiretest.Legacy.Call(1, "inband", nil)), "true")
	wantText(t, stdio.Ask(wiretest.Modern.Call(2, "inband", nil)), "false")
	wantText(t, http.Post(wiretest.Legacy.Call(3, "inband", nil)).Last(t), "false")
	wantText(t, http.Post(wiretest.Modern.Call(4, "inband", nil)).Last(t), "false")
}
