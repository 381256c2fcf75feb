package access

import (
	"mcp-partner/schemas"
)

// Approval is the operator's word, by flag, on whom to ask before a write. It
// counts only where the configuration has no rules.
type Approval string

// The modes. ApprovalAsk asks in the client for register_partner and a person
// elsewhere for what overwrites or removes. ApprovalNone is legal only against
// the simulator or with a bound on partner IDs.
const (
	ApprovalAsk       Approval = "ask"
	ApprovalRequester Approval = "requester"
	ApprovalApprover  Approval = "approver"
	ApprovalNone      Approval = "none"
)

// Settings are what a policy is made of.
type Settings struct {
	// AllowWrites switches writes on where there are no rules.
	AllowWrites bool
	// Approval defaults to ApprovalAsk.
	Approval Approval
	// Rules are the configured policy; nil means that the two flags decide.
	Rules  []Rule
	Bounds Bounds
	// Simulated says that no real Azure is reached.
	Simulated bool
}

// rules returns the configured ones, or those that the flags stand for.
func (s Settings) rules() ([]Rule, error) {
	if s.Rules != nil {
		return s.Rules, nil
	}
	if s.Approval == ApprovalNone && !s.Simulated && len(s.Bounds.PartnerIDs) == 0 {
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument,
			"--approval none lets an agent write without a person: it needs --simulate, or --partner-ids with the IDs it may use.")
	}
	writes := []string{string(schemas.EffectWrite)}
	destroys := []string{string(schemas.EffectDestroy)}
	switch {
	case !s.AllowWrites:
		return nil, nil
	case s.asks() && s.Simulated:
		// A simulation has no approvers, and nothing that another person would protect.
		return []Rule{{Name: "--allow-writes, simulated", Operations: append(writes, destroys...), Ruling: RulingRequester}}, nil
	case s.asks():
		return []Rule{{Name: "--allow-writes, new links", Operations: writes, Ruling: RulingRequester}, {Name: "--allow-writes", Operations: destroys, Ruling: RulingApprover}}, nil
	case s.Approval == ApprovalRequester:
		return []Rule{{Name: "--approval requester", Operations: append(writes, destroys...), Ruling: RulingRequester}}, nil
	case s.Approval == ApprovalApprover:
		return []Rule{{Name: "--approval approver", Operations: append(writes, destroys...), Ruling: RulingApprover}}, nil
	case s.Approval == ApprovalNone:
		return nil, nil // see unasked
	default:
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument, "--approval is "+quote(string(s.Approval))+"; it is ask, requester, approver or none.")
	}
}

// asks reports whether the flags leave it to the operation whom to ask.
func (s Settings) asks() bool { return s.Approval == ApprovalAsk || s.Approval == "" }

// WritesOff is the refusal of a tool while writes are off.
func WritesOff(tool string) error {
	return schemas.NewProblem(schemas.CodeWritesDisabled, "This server reads only: it was started without --allow-writes, so "+tool+" is off.")
}
