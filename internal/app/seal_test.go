package app

import (
	"path/filepath"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault"
)

// The key that seals questions may be replaced once while a question is open.
func TestQuestionsSurviveKeyRotation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	if err := vault.Init(t.Context(), disk.New(dir), vault.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	settings := NewSettings(noEnv, nil)
	settings.SetStateDir(dir)
	a, err := settings.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	decider, err := a.Guard(guard.Options{AllowWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	intent := guard.Intent{Caller: "stdio", Tool: schemas.ToolRegisterPartner, PartnerID: "1234567",
		Identity: answers.Identity{Tenant: "contoso", TenantID: "t", ObjectID: "o"}, Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}}
	for rotations, want := range []problems.Code{"", "", problems.CodeApprovalUnknown} {
		asked, ok := decider.Authorize(t.Context(), Trusted(intent.Caller), intent, true).(guard.Asked)
		if !ok {
			t.Fatal("nobody was asked")
		}
		for range rotations {
			if err := a.Keyring.Rotate(t.Context(), SealKey, guard.KeySize); err != nil {
				t.Fatal(err)
			}
		}
		admission := decider.Answer(t.Context(), Trusted(intent.Caller), intent, asked.Seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"})
		problem := problems.As(guard.RefusalOf(admission))
		if granted, _ := admission.(guard.Granted); problem != nil && problem.Code != want || problem == nil && (want != "" || granted.Record == 0) {
			t.Errorf("after %d rotations: %+v", rotations, admission)
		}
	}
}
