package guard

import (
	"net/http"
	"strings"
	"sync/atomic"

	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Wire is one request as it is about to leave, in the terms that a permit is
// bound to. TenantID and ObjectID come from the token that the request carries.
type Wire struct {
	Method    string
	TenantID  string
	ObjectID  string
	PartnerID partnerid.ID
}

// Permit allows exactly one request that is no GET. Only a Guard makes one;
// the zero value allows nothing. Copies share the one use.
type Permit struct{ use *permitUse }

type permitUse struct {
	bound Wire
	state atomic.Int32
}

// The states of a permit.
const (
	fresh int32 = iota
	spent
	challenged // spent, and the answer was a claims challenge: one more
	exhausted
)

// newPermit binds a permit to a request. A field left empty would match
// nothing, because Spend refuses empty fields.
func newPermit(bound Wire) Permit { return Permit{use: &permitUse{bound: fold(bound)}} }

// Spend uses the permit up for the request at hand. It returns a
// CodePermitRefused problem, and the request must not be sent, if the permit
// is empty, was spent already, or is bound to anything else.
func (p Permit) Spend(request Wire) error {
	request = fold(request)
	switch {
	case p.use == nil:
		return refusePermit("it is empty")
	case request != p.use.bound || !complete(request):
		return refusePermit("it is for another request")
	case p.use.state.CompareAndSwap(fresh, spent), p.use.state.CompareAndSwap(challenged, exhausted):
		return nil
	default:
		return refusePermit("it was used already")
	}
}

// Challenged tells a spent permit that the answer was a 401 with a claims
// challenge, which says that the request was not carried out. The permit may
// then be spent once more, and only once.
func (p Permit) Challenged() {
	if p.use != nil {
		p.use.state.CompareAndSwap(spent, challenged)
	}
}

// Spent reports whether the permit has been used at least once: whether a
// request may have reached ARM.
func (p Permit) Spent() bool { return p.use != nil && p.use.state.Load() != fresh }

func fold(w Wire) Wire {
	w.Method = strings.ToUpper(w.Method)
	w.TenantID, w.ObjectID = strings.ToLower(w.TenantID), strings.ToLower(w.ObjectID)
	return w
}

func complete(w Wire) bool {
	switch w.Method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return w.TenantID != "" && w.ObjectID != "" && w.PartnerID != ""
	default:
		return false
	}
}

func refusePermit(why string) error {
	return problems.New(problems.CodePermitRefused,
		"A request that would write was stopped before it was sent: its permit is not valid, "+why+".")
}
