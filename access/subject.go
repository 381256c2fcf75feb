package access

import (
	"net/http"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// Subject is what every decision is about: one request that would leave, or a
// call before its requests are known. Names in it are compared by
// naming.Match alone.
type Subject struct {
	// Operation is the tool that is called.
	Operation schemas.Operation
	// By is who calls, with what that caller was given.
	By Principal
	// Tenant is the directory's entry; the zero value as long as it is not known.
	Tenant schemas.Tenant
	// Method is the request's: PUT, PATCH or DELETE. It is "" for a read, and for
	// a call whose requests are not known yet.
	Method string
	// PartnerID is the ID in the request's URL, Current the one that is linked and
	// would be lost; "" if there is none or it is unknown.
	PartnerID, Current partnerid.ID
	// Link is the state seen, or "" where nothing has been read yet.
	Link answers.LinkState
}

// undecided is a call for many tenants, each of which is asked about on its own
// once its ID is known.
func (s Subject) undecided() bool { return s.Tenant.Name == "" && s.PartnerID == "" }

// also returns what else the rules are asked about: the single call, and both with the
// ID that the request would take away.
func (s Subject) also() []Subject {
	all := []Subject{s}
	if single, ok := s.single(); ok {
		all = append(all, single)
	}
	if s.Current != "" && s.Current != s.PartnerID {
		for _, as := range all {
			as.PartnerID = s.Current
			all = append(all, as)
		}
	}
	return all[1:]
}

// single returns the subject as a call of the tool that sends such a request in
// one tenant: what a rule denies there is denied in a batch as well.
func (s Subject) single() (Subject, bool) {
	tool := map[string]string{
		http.MethodPut: schemas.ToolRegisterPartner, http.MethodPatch: schemas.ToolUpdatePartner, http.MethodDelete: schemas.ToolRemovePartner,
	}[s.Method]
	op, ok := schemas.Lookup(tool)
	if !ok || op.Name == s.Operation.Name {
		return Subject{}, false
	}
	s.Operation = op
	s.Link = answers.LinkLinked
	if s.Method == http.MethodPut {
		s.Link = answers.LinkNotLinked
	}
	return s, true
}
