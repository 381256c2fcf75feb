package app

import (
	"bytes"
	"context"
	"encoding/json"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas/problems"
)

// reconciliationFile holds the totals of the last reconciliation that was kept.
const reconciliationFile = "pec-reconcile.json"

// maxPECRoles bounds a list of roles, in bytes.
const maxPECRoles = 1 << 20

// eligibleRoles is the built-in list of roles, changed by a file if one is set.
func (s *Settings) eligibleRoles() (*pec.List, error) {
	if s.PECRoles == "" {
		return nil, nil // the built-in one, read when it is needed
	}
	text, err := disk.ReadTrusted(s.PECRoles, disk.Unchanged, maxPECRoles)
	if err != nil {
		return nil, exit.FileError("--pec-roles", s.PECRoles, "give a CSV file with the columns role_definition_guid,role_name,eligible", err)
	}
	list, err := pec.BuiltIn().Override(bytes.NewReader(text))
	if err != nil {
		return nil, exit.Usage("correct the file", "--pec-roles %s: %s", s.PECRoles, err)
	}
	return list, nil
}

// KeepReconciliation keeps the totals of a reconciliation for agents.
func (a *App) KeepReconciliation(totals any) error {
	if a.Simulated != nil {
		return problems.New(problems.CodeInvalidArgument, "A simulation keeps nothing.", problems.WithHint("Leave --keep out."))
	}
	text, err := json.Marshal(totals)
	if err != nil {
		return err
	}
	unlock, err := a.Files.Lock(context.Background(), "pec-reconcile.lock")
	if err != nil {
		return err
	}
	defer unlock()
	return a.Files.Replace(reconciliationFile, text)
}

// reconciliation is what was kept, or nil.
func (a *App) reconciliation() ([]byte, error) {
	if a.Simulated != nil {
		return nil, nil
	}
	text, _, err := a.Files.Read(reconciliationFile)
	return text, err
}
