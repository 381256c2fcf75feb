package armclient

import (
	"math/rand/v2"
	"net/http"
	"testing"

	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// faultsAtRandom are all that do not take whole seconds.
func faultsAtRandom() []simulator.Fault {
	var list []simulator.Fault
	for _, kind := range []simulator.FaultKind{
		simulator.FaultServerError, simulator.FaultHTML, simulator.FaultEmpty404, simulator.FaultNamespace404, simulator.FaultUnauthorized,
		simulator.FaultForbidden, simulator.FaultClaimsChallenge, simulator.FaultCutBody, simulator.FaultLostAnswer, simulator.FaultErrorAfterWrite,
		simulator.FaultOtherWriter, simulator.FaultOtherWriterBack, simulator.FaultOtherWriterLate, simulator.FaultHostileNames,
		simulator.FaultStringVersions, simulator.FaultMissingFields, simulator.FaultDeleted200, simulator.FaultThrottleLong,
	} {
		list = append(list, simulator.Fault{Kind: kind, Percent: 6})
	}
	return list
}

// A long random life under every fault: whatever is said of the link and of a
// write is compared with what the simulator knows to be so.
func TestAnswersMatchSimulatorUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Config{Tenants: 1, Seed: seed, Faults: faultsAtRandom()})
			dice := rand.New(rand.NewPCG(seed, 1))
			said := map[string]int{}
			for range 80 {
				read := s.client.Link(t.Context())
				s.checkLink(t, read.Link)
				said[string(read.Link.State)]++
				if read.Link.State != answers.LinkUnknown {
					said[string(s.applyAtRandom(t, dice, read).Applied)]++
				}
			}
			if said["linked"] == 0 || said["unknown"] == 0 || said["applied"] == 0 || said["not_applied"] == 0 {
				t.Errorf("seed %d proves little: %v", seed, said)
			}
		})
	}
}

// checkLink holds because nobody writes while nothing of ours is under way.
func (s simulated) checkLink(t *testing.T, said answers.Link) {
	t.Helper()
	truth, ever := s.sim.Link(s.tenant.TenantID, "")
	live := ever && truth.State == simulator.StateActive
	switch {
	case said.State == answers.LinkUnknown:
	case said.State.Absent() == live, live && string(said.PartnerID) != truth.PartnerID, said.State == answers.LinkDeleted && !ever:
		t.Errorf("said %+v, truth %+v %v", said, truth, ever)
	}
}

// applyAtRandom makes a change that fits the state, and asks the simulator's
// journal whether it was carried out.
func (s simulated) applyAtRandom(t *testing.T, dice *rand.Rand, before LinkRead) Outcome {
	t.Helper()
	kind, id := http.MethodPut, []string{partner1, partner2}[dice.IntN(2)]
	if before.Link.State == answers.LinkLinked {
		kind = []string{http.MethodPatch, http.MethodDelete}[dice.IntN(2)]
	}
	if kind == http.MethodDelete {
		id = string(before.Link.PartnerID)
	}
	seen := len(s.sim.Journal())
	got := s.apply(t, kind, id, before)
	s.checkLink(t, got.After.Link)
	sent, written := 0, false
	for _, r := range s.sim.Journal()[seen:] {
		if r.Method != "GET" {
			sent, written = sent+1, written || r.Written
		}
	}
	if got.Applied == AppliedYes && !written || got.Applied == AppliedNo && written || sent > 2 {
		t.Errorf("%s %s of %+v: said %s (%v), %d sent, written %v; after %+v", kind, id, before.Link, got.Applied, got.Problem, sent, written, got.After.Link)
	}
	return got
}
