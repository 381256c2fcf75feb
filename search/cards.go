package search

import (
	"maps"
	"slices"

	"mcp-partner/schemas"
)

// The signals that a card weighs. Each is 0 to 1.
const (
	sigRead       = "read"       // wants to know
	sigRegister   = "register"   // wants a link made
	sigUpdate     = "update"     // wants a link changed
	sigRemove     = "remove"     // wants a link removed
	sigLink       = "link"       // is about a link
	sigOneID      = "one id"     // names one partner ID
	sigIDs        = "ids"        // names several
	sigNoID       = "no id"      // names none
	sigFleet      = "fleet"      // is about many tenants
	sigOneTenant  = "one tenant" // names exactly one
	sigTenants    = "tenants"    // is about tenants and not about links
	sigList       = "list"       // wants an enumeration
	sigReach      = "reach"      // asks what a credential reaches
	sigDirectory  = "directory"  // asks what this server knows
	sigOperations = "operations" // is about the provider's operations
	sigPermission = "permission" // is about permissions
	sigProvider   = "provider"   // names the provider
	sigTools      = "tools"      // is about the tools here
	sigWhichTool  = "which tool" // asks for a tool that does it
	sigApproval   = "approval"   // is about an approval
	sigRun        = "run"        // names a run over many tenants
	sigCredit     = "credit"     // is about partner earned credit
)

// card is what a person means by an operation: how much each signal speaks for
// it or against it.
type card map[string]float64

// part is one signal of a card and its weight.
type part struct {
	signal string
	weight float64
}

// parts lists a card in a fixed order, so that its sum is always the same.
func (c card) parts() []part {
	var out []part
	for _, signal := range slices.Sorted(maps.Keys(c)) {
		out = append(out, part{signal, c[signal]})
	}
	return out
}

// cardOf returns the card of an operation. Cards whose operation the catalogue
// lacks are never asked for. An operation without a card of its own is weighed
// by its effect and found by its wording.
func cardOf(o schemas.Operation) card {
	if c, ok := cards()[o.Name]; ok {
		return c
	}
	switch o.Effect {
	case schemas.EffectWrite:
		return card{sigRegister: 1}
	case schemas.EffectDestroy:
		return card{sigUpdate: 0.8, sigRemove: 0.8}
	}
	return card{sigRead: 0.5}
}

func cards() map[string]card {
	return map[string]card{
		schemas.ToolCheckPartnerLink: {
			sigLink: 1.2, sigRead: 1, sigFleet: 0.2, sigTenants: -0.9,
			sigOperations: -1, sigPermission: -0.8, sigTools: -0.6, sigApproval: -0.8,
		},
		schemas.ToolCheckPECRoles:   {sigLink: 0.9, sigRead: 1, sigCredit: 1.4, sigFleet: -1, sigTenants: -0.9, sigRegister: -1, sigUpdate: -1, sigRemove: -1},
		schemas.ToolRegisterPartner: {sigLink: 0.9, sigRegister: 2.4, sigOneID: 0.2, sigFleet: -0.9, sigTools: -0.3},
		schemas.ToolUpdatePartner:   {sigLink: 0.9, sigUpdate: 2.4, sigIDs: 0.4, sigFleet: -0.9, sigTools: -0.3},
		schemas.ToolRemovePartner:   {sigLink: 0.9, sigRemove: 2.4, sigOneID: 0.2, sigFleet: -0.2, sigTools: -0.3},
		schemas.ToolListProviderOperations: {
			sigOperations: 1.6, sigPermission: 1.7, sigProvider: 0.9, sigRead: 0.3, sigOneID: -0.6, sigTools: -0.4,
		},
		schemas.ToolListTenants: {
			sigTenants: 2.1, sigList: 0.6, sigReach: 0.9, sigDirectory: 0.9, sigRead: 0.3, sigLink: -0.6, sigOneID: -0.6,
		},
		schemas.ToolFindPartnerTool: {sigTools: 2.2, sigWhichTool: 1.5, sigRead: 0.3, sigOneID: -0.4},
		// Operations for many tenants, and the state of an approval.
		"audit_partner_links": {
			sigLink: 0.9, sigRead: 0.9, sigFleet: 1.7, sigOneTenant: -1.5, sigRegister: -1.2, sigUpdate: -1.2, sigRemove: -1.2,
			sigTenants: -0.9, sigOperations: -1, sigTools: -1.2, sigRun: 2.5,
		},
		"ensure_partner_links": {sigLink: 0.7, sigRegister: 1.9, sigFleet: 1.3, sigOneTenant: -2, sigRun: 1.5},
		"transition_partner":   {sigLink: 0.7, sigUpdate: 1.9, sigFleet: 1.3, sigIDs: 0.4, sigOneTenant: -2, sigRun: 1.5},
		"get_approval":         {sigApproval: 3, sigRead: 0.5},
	}
}

// signals reads the signals off a wish.
func (w *wish) signals() map[string]float64 {
	s := map[string]float64{}
	s[sigDirectory] = truth(w.has[directory] && (w.has[tenant] || len(w.entities.tenants) == 0))
	s[sigProvider] = truth(w.has[provider] || w.has[namespace])
	w.verbSignals(s)
	w.subjectSignals(s)
	s[sigRun] = truth(w.entities.run != "")
	s[sigCredit] = truth(w.has[credit]) - truth(!w.has[credit])
	for sig, concept := range map[string]string{
		sigList: lists, sigReach: reach, sigOperations: operations,
		sigPermission: permission, sigTools: tools, sigWhichTool: whichTool, sigApproval: approval,
	} {
		s[sig] = truth(w.has[concept])
	}
	s[sigApproval] = max(s[sigApproval], truth(w.entities.approval != "" && w.isReading()))
	return s
}

func (w *wish) verbSignals(s map[string]float64) {
	const beside = 0.5 // what a second verb is worth
	for _, act := range w.also {
		s[signalOf(act)] = beside
	}
	if w.isReading() {
		s[sigRead] = 1
		return
	}
	s[signalOf(w.act)] = 1
}

func signalOf(act string) string {
	switch act {
	case registers:
		return sigRegister
	case updates:
		return sigUpdate
	}
	return sigRemove
}

func (w *wish) subjectSignals(s map[string]float64) {
	few := len(w.entities.ids)
	about := w.has[pal] || w.has[mpn] || w.has[link] || w.has[linked] || w.has[partner] || w.has[credit] || w.has[holds] || w.has[id] && (w.has[newID] || w.has[expected]) || w.has[thisID] || few > 0
	if w.isReading() && w.meansMany() {
		// "who still has to be registered", "who got the new one"
		about = about || w.has[registers] || w.has[updates] || w.has[removes] || w.has[newID] || w.has[oldID]
	}
	s[sigLink] = truth(about || w.has[updated] || w.has[removed])
	if s[sigLink] == 0 && (len(w.entities.tenants) > 0 || w.stranger) {
		s[sigLink] = 0.5 // what else is asked about a tenant here
	}
	s[sigOneID] = truth(few == 1 || few == 0 && w.has[thisID])
	if w.isReading() && len(w.also) > 0 {
		s[sigOneID] = 0 // "check, and if nothing is there register 1234567"
	}
	s[sigNoID] = truth(few == 0 && !w.has[thisID])
	s[sigIDs] = truth(few > 1)
	s[sigOneTenant] = truth(len(w.entities.tenants) == 1 || w.stranger && !w.meansMany())
	s[sigFleet] = truth(w.meansMany())
	named := w.has[tenant] || w.has[directory] && len(w.entities.tenants) == 0 || w.has[lists] && len(w.entities.tenants) > 0
	aboutLinks := w.has[lacks] || w.has[mpn] || w.has[linked] && !w.has[lists]
	kept := w.has[directory] && !w.has[pal] && few == 0 && !(w.has[linked] && aboutLinks)
	s[sigTenants] = truth(named && (!about || kept) && !(w.has[tools] && !w.has[tenant]))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
