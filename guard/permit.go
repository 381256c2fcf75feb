package guard

import (
	"net/http"
	"strings"
	"sync"

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
	mu    sync.Mutex
	bound Wire
	state permitState
}

type permitState int

const (
	fresh permitState = iota
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
	if p.use == nil {
		return refusePermit("it is empty")
	}
	request = fold(request)
	p.use.mu.Lock()
	defer p.use.mu.Unlock()
	if request != p.use.bound || !complete(request) {
		return refusePermit("it is for another request")
	}
	switch p.use.state {
	case fresh:
		p.use.state = spent
	case challenged:
		p.use.state = exhausted
	default:
		return refusePermit("it was used already")
	}
	return nil
}

// Challenged tells a spent permit that the answer was a 401 with a claims
// challenge, which says that the request was not carried out. The permit may
// then be spent once more, and only once.
func (p Permit) Challenged() {
	if p.use == nil {
		return
	}
	p.use.mu.Lock()
	defer p.use.mu.Unlock()
	if p.use.state == spent {
		p.use.state = challenged
	}
}

// Spent reports whether the permit has been used at least once: whether a
// request may have reached ARM.
func (p Permit) Spent() bool {
	if p.use == nil {
		return false
	}
	p.use.mu.Lock()
	defer p.use.mu.Unlock()
	return p.use.state != fresh
}

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
