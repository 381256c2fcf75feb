package app

import (
	"context"
	"sync"

	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
)

// policyFile has the digest of the policy that is in force at all servers: that of
// the server that started last.
const policyFile = "policy-in-force"

// policyInForce knows whether this server put its policy in force.
type policyInForce struct {
	mu   sync.Mutex
	took bool
}

// PolicyCheck puts the policy of this server in force, and later notices that another
// one took its place. It is for servers that share a database.
func (a *App) PolicyCheck(decider *guard.Guard) []server.Check {
	if a.Files.Shared == nil {
		return nil
	}
	digest := decider.Policy().Digest()
	return []server.Check{{Name: "policy", Run: func(ctx context.Context) error {
		a.policy.mu.Lock()
		defer a.policy.mu.Unlock()
		if !a.policy.took {
			return a.takeOver(ctx, digest)
		}
		now, _, err := a.Files.Read(policyFile)
		if err != nil || string(now) == digest {
			return err
		}
		a.settings.Log.WarnContext(ctx, "a server that started later has another policy: restart this one with the same config file", "own", digest, "in_force", string(now))
		return problems.New(problems.CodeStateMoved, "Another policy is in force.")
	}}}
}

func (a *App) takeOver(ctx context.Context, digest string) error {
	unlock, err := a.Files.Lock(ctx, policyFile+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	err = a.Files.Write(policyFile, []byte(digest))
	a.policy.took = err == nil
	return err
}
