package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// speaker carries a message to a server and brings the response back.
type speaker interface {
	say(message string) wiretest.Reply
}

type overStdio struct{ *server }

func (s overStdio) say(message string) wiretest.Reply { return s.ask(message) }

// overHTTP is a client of a server that was started with --http.
type overHTTP struct {
	connection
	tb  testing.TB
	era wiretest.Era
}

func (h overHTTP) say(message string) wiretest.Reply {
	h.tb.Helper()
	var m struct {
		Method string
		Params struct{ Name string }
	}
	check(h.tb, json.Unmarshal([]byte(message), &m))
	request, err := http.NewRequest(http.MethodPost, h.URL, strings.NewReader(message))
	check(h.tb, err)
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Authorization": {"Bearer " + h.Token}, "Mcp-Protocol-Version": {string(h.era)},
	}
	if h.era == wiretest.Modern {
		request.Header["Mcp-Method"], request.Header["Mcp-Name"] = []string{m.Method}, []string{m.Params.Name}
	}
	response, err := http.DefaultClient.Do(request)
	check(h.tb, err)
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	check(h.tb, err)
	return wiretest.Parse(h.tb, lastMessage(body.Bytes()))
}

// lastMessage is the response in a body: all of it, or the last event's data.
func lastMessage(body []byte) []byte {
	for text := range bytes.SplitSeq(bytes.TrimSpace(body), []byte("\n")) {
		if data, ok := bytes.CutPrefix(text, []byte("data: ")); ok {
			body = data
		}
	}
	return body
}

// twoServers is a state directory with two tenants and no links, and two servers on
// it which ask their clients: each is another caller to the other.
type twoServers struct {
	*world
	stdio *server
	http  *server
	web   connection
}

func newOffice(t *testing.T, approval string) *twoServers {
	t.Helper()
	o := &twoServers{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1})}
	for _, tenant := range o.sim.Tenants() {
		check(t, o.sim.ClearLink(tenant.TenantID))
	}
	o.settle("contoso", "fabrikam")
	serve := []string{"serve", "--allow-writes", "--approval", approval, "--log-level", "error"}
	o.stdio = o.cli(serve...).start(t)
	o.http = o.cli(append(serve, "--http", "127.0.0.1:0")...).start(t)
	o.web = o.http.connection()
	return o
}

// untouched ends the test: nothing was written, nothing is blocked, and the
// record holds only the given number of intents.
func (o *twoServers) untouched(intents int) {
	o.tb.Helper()
	if n := o.gate.written(); n != intents {
		o.tb.Errorf("%d writes arrived, want %d", n, intents)
	}
	if n := len(of(o.entries(), "intent")); n != intents {
		o.tb.Errorf("the record has %d intents, want %d", n, intents)
	}
	reply := overHTTP{o.web, o.tb, wiretest.Modern}.say(wiretest.Modern.Request("last", "tools/call",
		wiretest.Object{"name": schemas.ToolCheckPartnerLink, "arguments": wiretest.Object{"tenant": "contoso"}}, nil))
	if status(reply) != "done" {
		o.tb.Errorf("a read is blocked: %s", reply.Raw)
	}
	o.verify()
}

// attempt is one thing that a hostile client of 2026-07-28 sends.
type attempt struct {
	proposal
	more wiretest.Object
	want problems.Code
}

// attempts are what a hostile client makes of a question about linking ourID in
// contoso. Every one of them gets a question of its own.
func attempts() map[string]func(state string) attempt {
	mine := registering("contoso", ourID)
	unknown, mismatch, declined := problems.CodeApprovalUnknown, problems.CodeApprovalMismatch, problems.CodeApprovalDeclined
	return map[string]func(string) attempt{
		"an answer that nobody asked for": func(string) attempt { return attempt{mine, answered("", "accept", ourID), unknown} },
		"a state from thin air": func(string) attempt {
			return attempt{mine, answered("ap_000000000000000000.AAAA", "accept", ourID), unknown}
		},
		"a state that is no state": func(string) attempt {
			return attempt{mine, answered(strings.Repeat("A", 100_000), "accept", ourID), unknown}
		},
		"a state of another ticket": func(state string) attempt {
			_, box, _ := strings.Cut(state, ".")
			return attempt{mine, answered("ap_000000000000000000."+box, "accept", ourID), unknown}
		},
		"a state that was bent": func(state string) attempt { return attempt{mine, answered(bend(state), "accept", ourID), unknown} },
		"another partner ID": func(state string) attempt {
			return attempt{registering("contoso", otherID), answered(state, "accept", otherID), mismatch}
		},
		"another tenant": func(state string) attempt {
			return attempt{registering("fabrikam", ourID), answered(state, "accept", ourID), mismatch}
		},
		"declined, right text":  func(state string) attempt { return attempt{mine, answered(state, "decline", ourID), declined} },
		"cancelled, right text": func(state string) attempt { return attempt{mine, answered(state, "cancel", ourID), declined} },
		"accepted, no":          func(state string) attempt { return attempt{mine, answered(state, "accept", "no"), declined} },
		"accepted, the tenant":  func(state string) attempt { return attempt{mine, answered(state, "accept", "contoso"), declined} },
		"accepted, with a space": func(state string) attempt {
			return attempt{mine, answered(state, "accept", ourID+" "), declined}
		},
		"an action of its own": func(state string) attempt { return attempt{mine, answered(state, "accepted", ourID), declined} },
		"no answer at all": func(state string) attempt {
			return attempt{mine, wiretest.Object{"requestState": state, "inputResponses": wiretest.Object{}}, declined}
		},
		"a ticket as an approval": func(state string) attempt {
			id, _, _ := strings.Cut(state, ".")
			return attempt{proposal{mine.tool, wiretest.Object{"tenant": "contoso", "partner_id": ourID, "approval_id": id}}, nil, unknown}
		},
	}
}

// bend changes one character in the middle, where all six bits count.
func bend(state string) string {
	i := len(state) - 20
	other := byte('A')
	if state[i] == 'A' {
		other = 'B'
	}
	return state[:i] + string(other) + state[i+1:]
}

// What a client of 2026-07-28 makes up, replays or swaps is refused with a code
// that says why, over stdio and over HTTP.
func TestHostileModernClient(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "requester")
	o.stdio.greet(wiretest.Modern)
	mine := registering("contoso", ourID)
	speakers := map[string]speaker{"stdio": overStdio{o.stdio}, "HTTP": overHTTP{o.web, t, wiretest.Modern}}
	var states []string
	for transport, client := range speakers {
		for name, attempt := range attempts() {
			state, _ := client.say(mine.call("ask", nil)).Path("requestState").(string)
			if state == "" {
				t.Fatalf("%s: nobody was asked", transport)
			}
			a := attempt(state)
			reply := client.say(a.call("answer", a.more))
			if status(reply) != "refused" || problem(reply) != string(a.want) {
				t.Errorf("%s, %s: %.400s", transport, name, reply.Raw)
			}
			if a.want != problems.CodeApprovalDeclined {
				continue
			}
			if again := client.say(mine.call("again", answered(state, "accept", ourID))); problem(again) != string(problems.CodeApprovalExpired) {
				t.Errorf("%s, %s, and then accepted: %.400s", transport, name, again.Raw)
			}
		}
		state, _ := client.say(mine.call("left open", nil)).Path("requestState").(string)
		states = append(states, state)
	}
	o.untouched(0)
	for _, state := range states { // each caller's answer by both: only the asker's own counts
		o.onlyOnce(speakers, mine, state)
	}
	o.untouched(2)
}

// onlyOnce answers one question over every transport, again and again: one
// answer counts, once.
func (o *twoServers) onlyOnce(speakers map[string]speaker, p proposal, state string) {
	o.tb.Helper()
	done := 0
	for range 3 {
		for _, client := range speakers {
			reply := client.say(p.call("answer", answered(state, "accept", ourID)))
			code, _ := problem(reply).(string)
			switch {
			case status(reply) == "done":
				done++
				check(o.tb, o.sim.ClearLink("contoso"))
			case code != string(problems.CodeApprovalMismatch) && code != string(problems.CodeApprovalExpired):
				o.tb.Errorf("%.400s", reply.Raw)
			}
		}
	}
	if done != 1 {
		o.tb.Errorf("one question gave %d writes", done)
	}
}

// A question is not carried from one state directory to another.
func TestQuestionsOfAnotherStateDirectoryAreRefused(t *testing.T) {
	t.Parallel()
	ours, theirs := newWorld(t, oneTenant()), newWorld(t, oneTenant())
	ours.settle("contoso")
	theirs.settle("contoso")
	p := registering("contoso", ourID)
	state := theirs.asking().asked(p)
	if reply := ours.asking().ask(p.call("answer", answered(state, "accept", ourID))); problem(reply) != string(problems.CodeApprovalUnknown) {
		t.Errorf("%s", reply.Raw)
	}
	if n := ours.gate.written() + theirs.gate.written(); n != 0 {
		t.Errorf("%d writes", n)
	}
}

// response is a client's answer to a request of the server.
func response(id json.RawMessage, result string) string {
	return `{"jsonrpc":"2.0","id":` + string(id) + `,` + result + `}`
}

func answering(action, typed string) string {
	return `"result":{"action":"` + action + `","content":{"confirmation":"` + typed + `"}}`
}

// greetWithForms is greet for a client of the older era that shows forms.
func (s *server) greetWithForms() {
	s.tb.Helper()
	s.ask(wiretest.Initialize(string(wiretest.Legacy), wiretest.Object{"elicitation": wiretest.Object{}}))
	s.send(wiretest.Legacy.Notification("notifications/initialized", nil))
}

// form sends a call and returns the form that the server shows for it.
func (s *server) form(id any, arguments wiretest.Object) wiretest.Reply {
	s.tb.Helper()
	form := s.ask(wiretest.Legacy.Call(id, schemas.ToolRegisterPartner, arguments))
	if form.Method != "elicitation/create" {
		s.tb.Fatalf("no form: %s", form.Raw)
	}
	return form
}

// The same in the older era: a form that is not accepted with the right text
// writes nothing, and one that nobody answers blocks nobody.
func TestHostileLegacyClientOnStdio(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "requester")
	s := o.stdio
	s.greetWithForms()
	mine := registering("contoso", ourID).arguments
	s.send(response(json.RawMessage(`"mcp-partner-AAAAAAAA-1"`), answering("accept", ourID))) // before anything was asked
	for name, result := range map[string]string{
		"declined, right text":  answering("decline", ourID),
		"cancelled, right text": answering("cancel", ourID),
		"accepted, no":          answering("accept", "no"),
		"accepted, empty":       answering("accept", ""),
		"accepted, no content":  `"result":{"action":"accept"}`,
		"accepted, a number":    `"result":{"action":"accept","content":{"confirmation":` + ourID + `}}`,
		"accepted, two fields":  `"result":{"action":"accept","content":{"confirmation":"` + ourID + `","more":true}}`,
		"an action of its own":  answering("accepted", ourID),
		"an error":              `"error":{"code":-32603,"message":"` + ourID + `"}`,
		"no object":             `"result":"accept"`,
	} {
		form := s.form(name, mine)
		s.send(response(json.RawMessage(`"mcp-partner-AAAAAAAA-1"`), answering("accept", ourID))) // of no form that was shown
		s.send(response(form.ID, result))
		s.send(response(form.ID, answering("accept", ourID))) // too late
		reply := s.reply()
		if problem(reply) != string(problems.CodeApprovalDeclined) {
			t.Errorf("%s: %.400s", name, reply.Raw)
		}
	}
	o.leftOpen(s, mine)
	o.untouched(0)
}

// leftOpen leaves forms open; other calls go on, and the server ends well.
func (o *twoServers) leftOpen(s *server, arguments wiretest.Object) {
	o.tb.Helper()
	for i := range 3 {
		s.form(i, arguments)
	}
	if reply := s.ask(wiretest.Legacy.Call("read", schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": "contoso"})); status(reply) != "done" {
		o.tb.Errorf("a read beside open forms: %.400s", reply.Raw)
	}
	for _, reply := range s.rest() {
		if reply.ID != nil && status(reply) != "refused" {
			o.tb.Errorf("a form that nobody answered: %.400s", reply.Raw)
		}
	}
}

// An older client over HTTP is never asked, and no answer of its own makes up
// for that.
func TestHostileLegacyClientOverHTTP(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "requester")
	client := overHTTP{o.web, t, wiretest.Legacy}
	o.stdio.greet(wiretest.Modern)
	state := o.stdio.asked(registering("contoso", ourID))
	if reply := client.say(wiretest.Initialize(string(wiretest.Legacy), wiretest.Object{"elicitation": wiretest.Object{}})); reply.Error != nil {
		t.Fatalf("%s", reply.Raw)
	}
	for name, more := range map[string]wiretest.Object{
		"plain": nil, "an answer": answered("", "accept", ourID), "with a state": answered(state, "accept", ourID),
	} {
		params := wiretest.Object{"name": schemas.ToolRegisterPartner, "arguments": registering("contoso", ourID).arguments}
		for key, value := range more {
			params[key] = value
		}
		reply := client.say(wiretest.Legacy.Request(name, "tools/call", params, nil))
		if s := status(reply); s != "approval_required" && s != "refused" {
			t.Errorf("%s: %.400s", name, reply.Raw)
		}
	}
	o.untouched(0)
}
