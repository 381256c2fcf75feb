package tokens

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer"
)

// page is the document with the figures.
const page = "../../docs/dev/tokens.md"

// off is by how many tokens a figure of the page may be off: IDs are random.
const off = 30

// step is one call of a conversation.
type step struct {
	tool, arguments string
}

// conversations are what people ask for most, with the calls that an agent makes for it.
// What was read before is read again: nobody is asked twice, and nothing is left out.
func conversations() []struct {
	asked string
	steps []step
} {
	check := step{"check_partner_link", `{"tenant":"contoso"}`}
	return []struct {
		asked string
		steps []step
	}{
		{"Which tenants do we manage?", []step{{"list_tenants", `{}`}}},
		{"Is Contoso linked to us?", []step{check}},
		{"Which tool would remove a link?", []step{{"find_partner_tool", `{"query":"take our partner ID out of contoso"}`}}},
		{"Check all 30 tenants", []step{{"audit_partner_links", `{}`}}},
		{"What changed since the last audit?", []step{{"audit_partner_links", `{}`}, {"audit_partner_links", `{"since":"last"}`}}},
		{"Does the link at Contoso earn credit?", []step{check, {"check_pec_roles", `{"tenant":"contoso"}`}}},
		{"Link Lucerne to 1234567", []step{{"check_partner_link", `{"tenant":"lucerne"}`}, {"register_partner", `{"tenant":"lucerne","partner_id":"1234567"}`}}},
		{"Move Contoso to 1234567", []step{check, {"update_partner", `{"tenant":"contoso","partner_id":"1234567","expected_current_partner_id":"2345678"}`}}},
		{"Link everything that is missing", []step{{"ensure_partner_links", `{"partner_id":"1234567","plan":true}`}, {"ensure_partner_links", `{"partner_id":"1234567"}`}}},
		{"Move all of 2345678 to 1234567", []step{{"transition_partner", `{"from":["2345678"],"to":"1234567","plan":true}`}, {"transition_partner", `{"from":["2345678"],"to":"1234567"}`}}},
	}
}

// client is a program over stdio, without what a model does not see.
type client struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Scanner
	last  int
}

func start(t *testing.T, program string) *client {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, "serve", "--simulate=30", "--allow-writes", "--approval", "none", "--partner-ids", "1234567", "--state-dir", filepath.Join(t.TempDir(), "state"))
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), command.Wait() })
	c := &client{t: t, in: in, lines: bufio.NewScanner(out)}
	c.lines.Buffer(nil, 1<<22)
	c.ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"tokens","version":"1"}}`)
	return c
}

func (c *client) ask(method, params string) json.RawMessage {
	c.t.Helper()
	c.last++
	fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", c.last, method, params)
	for c.lines.Scan() {
		var message struct {
			ID     int
			Result json.RawMessage
		}
		if err := json.Unmarshal(c.lines.Bytes(), &message); err != nil {
			c.t.Fatal(err)
		}
		if message.ID == c.last {
			return message.Result
		}
	}
	c.t.Fatal("no answer", c.lines.Err())
	return nil
}

// call returns the text of an answer, which is what a model reads.
func (c *client) call(s step) string {
	c.t.Helper()
	var result struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(c.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, s.tool, s.arguments)), &result); err != nil || result.IsError || len(result.Content) != 1 {
		c.t.Fatalf("%s %s: %v %+v", s.tool, s.arguments, err, result)
	}
	return result.Content[0].Text
}

// TestPageOfTokensIsRight measures what the page says: in o200k, over stdio.
func TestPageOfTokensIsRight(t *testing.T) {
	encoding, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	count := func(text string) int {
		n, err := encoding.Count(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	program := built(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, conversation := range conversations() {
		c, asks, answers := start(t, program), 0, 0
		for _, s := range conversation.steps {
			asks += count(s.tool + s.arguments)
			answers += count(c.call(s))
		}
		line := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(conversation.asked) + ` \| .* \| (\d+) \| (\d+) \|$`).FindStringSubmatch(string(text))
		if line == nil {
			t.Errorf("the page lacks: | %s | %s | %d | %d |", conversation.asked, tools(conversation.steps), asks, answers)
			continue
		}
		said, _ := strconv.Atoi(line[2])
		if spent, _ := strconv.Atoi(line[1]); spent != asks || said < answers-off-answers/50 || said > answers+off+answers/50 {
			t.Errorf("%s: the calls take %d tokens and the answers %d; the page says %d and %d", conversation.asked, asks, answers, spent, said)
		}
	}
}

func tools(steps []step) string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = "`" + s.tool + "`"
	}
	return strings.Join(names, ", ")
}
