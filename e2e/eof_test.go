package e2e

import (
	"fmt"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// A client that pipes its requests in and closes the pipe gets every answer.
func TestEveryPipedRequestIsAnswered(t *testing.T) {
	t.Parallel()
	const calls = 300
	for _, era := range wiretest.Eras() {
		t.Run(string(era), func(t *testing.T) {
			t.Parallel()
			s := invocation{args: []string{"serve", "--simulate=10", "--log-level", "error"}}.start(t)
			s.greet(era)
			var piped strings.Builder
			for i := range calls {
				piped.WriteString(pipedCall(era, i) + "\n")
			}
			s.send(strings.TrimSuffix(piped.String(), "\n"))
			answered := map[string]int{}
			for _, reply := range s.rest() {
				if reply.ID != nil {
					answered[string(reply.ID)]++
					checkPiped(t, reply)
				}
			}
			for i := range calls {
				if n := answered[fmt.Sprint(i)]; n != 1 {
					t.Errorf("request %d was answered %d times", i, n)
				}
			}
		})
	}
}

// pipedCall is one of several kinds of call, so that quick and slow ones are
// under way together.
func pipedCall(era wiretest.Era, i int) string {
	tenant := []string{"contoso", "fabrikam", "adventure-works", "northwind", "litware"}[i%5]
	switch i % 4 {
	case 0:
		return era.Call(i, schemas.ToolListTenants, wiretest.Object{})
	case 1:
		return era.Call(i, schemas.ToolFindPartnerTool, wiretest.Object{"query": "is our link in place at " + tenant})
	default:
		return era.Call(i, schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": tenant})
	}
}

func checkPiped(t *testing.T, reply wiretest.Reply) {
	t.Helper()
	if status := reply.Path("structuredContent", "status"); status != string(answers.StatusDone) {
		t.Errorf("request %s: %s", reply.ID, reply.Raw)
	}
}
