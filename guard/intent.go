package guard

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"

	"mcp-partner/schemas"
)

// Caller is who asks: "stdio", "terminal", or the subject of a bearer token.
type Caller string

// Seen is what a plan read before anybody was asked: the state that a permit
// is bound to.
type Seen struct {
	State     schemas.LinkState
	PartnerID string
	// Version is -1 where there is none to see.
	Version int64
}

// Intent is one write that somebody wants, complete: what the guard decides
// on, and what an approval and a permit are bound to.
type Intent struct {
	Caller Caller
	// Tool is the operation's name in the catalogue.
	Tool string
	// Identity is the (tenant, identity) pair, from the claims of the token.
	Identity schemas.Identity
	// Before is the state seen.
	Before Seen
	// PartnerID is the ID in the URL of the write.
	PartnerID string
	// Expected is the partner ID that the directory expects in the tenant.
	Expected string
	// Reason is what the caller gave as the reason; it is recorded, not judged.
	Reason string
}

// Method returns the HTTP method with which the intent's tool writes, or ""
// for a tool that does not write.
func (i Intent) Method() string {
	switch i.Tool {
	case schemas.ToolRegisterPartner:
		return http.MethodPut
	case schemas.ToolUpdatePartner:
		return http.MethodPatch
	case schemas.ToolRemovePartner:
		return http.MethodDelete
	default:
		return ""
	}
}

// wire returns the one request that the intent may become.
func (i Intent) wire() Wire {
	return Wire{Method: i.Method(), TenantID: i.Identity.TenantID, ObjectID: i.Identity.ObjectID, PartnerID: i.PartnerID}
}

// binding is a digest of everything an approval is bound to but the state
// seen, which is compared on its own so that a move can be told from a
// mismatch. Reason is left out: it may be worded anew.
func (i Intent) binding() [sha256.Size]byte {
	canonical, _ := json.Marshal([]string{string(i.Caller), i.Tool, i.Identity.TenantID,
		i.Identity.ObjectID, i.Identity.Cloud, i.Identity.Credential, i.PartnerID})
	return sha256.Sum256(canonical)
}
