package guard_test

import (
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func BenchmarkGuardAskAndAnswer(b *testing.B) {
	g := newGuard(b, guard.Options{AllowWrites: true})
	i := intent(schemas.ToolRegisterPartner)
	question := guard.QuestionFor(i)
	b.ReportAllocs()
	for b.Loop() {
		_, seal, err := g.Ask(b.Context(), i, client)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.Answer(b.Context(), by("stdio"), i, seal, question, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}); err != nil {
			b.Fatal(err)
		}
	}
}
