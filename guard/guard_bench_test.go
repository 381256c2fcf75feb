package guard_test

import (
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func BenchmarkGuardAskAndAnswer(b *testing.B) {
	g := newGuard(b, guard.Options{AllowWrites: true})
	i := intent(schemas.ToolRegisterPartner)
	b.ReportAllocs()
	for b.Loop() {
		seal, err := asked(g.Authorize(b.Context(), by("stdio"), i, true))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := granted(g.Answer(b.Context(), by("stdio"), i, seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"})); err != nil {
			b.Fatal(err)
		}
	}
}
