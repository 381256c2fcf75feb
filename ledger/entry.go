package ledger

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// The kinds of entries that the ledger makes itself.
const (
	// KindRollback says that the file is older than what the vault remembers.
	KindRollback guard.EventKind = "rollback"
	// KindPrune says that old entries were removed on purpose.
	KindPrune guard.EventKind = "prune"
)

// timeLayout has a fixed width, so that times sort as text. All times are UTC.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// clock parses times and keeps the first failure.
type clock struct{ failure error }

func (c *clock) parse(text string) time.Time {
	t, err := time.Parse(timeLayout, text)
	if c.failure == nil && err != nil {
		c.failure = errDamaged
	}
	return t
}

// unmarshal decodes a row; its failure is that the row is damaged.
func unmarshal(text []byte, value any) clock {
	if json.Unmarshal(text, value) != nil {
		return clock{errDamaged}
	}
	return clock{}
}

// intentBody is guard.Intent as it is written, in entries and in tickets.
type intentBody struct {
	Caller     access.Caller      `json:"caller,omitempty"`
	Tool       string             `json:"tool,omitempty"`
	TenantID   string             `json:"tenant_id,omitempty"`
	Tenant     string             `json:"tenant,omitempty"`
	ObjectID   string             `json:"object_id,omitempty"`
	Cloud      string             `json:"cloud,omitempty"`
	Credential string             `json:"credential,omitempty"`
	Before     guard.LinkSnapshot `json:"before,omitzero"`
	LinkedName string             `json:"linked_name,omitempty"`
	Since      string             `json:"linked_since,omitempty"`
	PartnerID  string             `json:"partner_id,omitempty"`
	Company    string             `json:"company,omitempty"`
	Domain     string             `json:"domain,omitempty"`
	Expected   string             `json:"expected_partner_id,omitempty"`
	Labels     []string           `json:"labels,omitempty"`
	Reason     string             `json:"reason,omitempty"`
	Run        string             `json:"run,omitempty"`
	Row        int                `json:"row,omitempty"`
	Step       guard.Step         `json:"step,omitempty"`
	Place      string             `json:"place,omitempty"`
}

func newIntentBody(i guard.Intent) intentBody {
	id := i.Identity
	return intentBody{
		Caller: i.Caller, Tool: i.Tool, TenantID: id.TenantID, Tenant: id.Tenant, ObjectID: id.ObjectID,
		Cloud: id.Cloud, Credential: id.Credential, Before: i.Before,
		LinkedName: i.LinkedName, Since: i.LinkedSince, PartnerID: i.PartnerID,
		Company: i.Company, Domain: i.Domain, Expected: i.Expected, Labels: i.Labels, Reason: i.Reason, Run: i.Run, Row: i.Row, Step: i.Step, Place: i.Endpoint,
	}
}

func (b intentBody) intent() guard.Intent {
	return guard.Intent{
		Caller: b.Caller, Tool: b.Tool,
		Identity: schemas.Identity{TenantID: b.TenantID, Tenant: b.Tenant, ObjectID: b.ObjectID, Cloud: b.Cloud, Credential: b.Credential},
		Before:   b.Before, LinkedName: b.LinkedName, LinkedSince: b.Since, PartnerID: b.PartnerID, Company: b.Company, Domain: b.Domain, Expected: b.Expected, Labels: b.Labels, Reason: b.Reason,
		Run: b.Run, Row: b.Row, Step: b.Step, Endpoint: b.Place,
	}
}

// entry is one line of the record as it is written. The order of its fields is
// the canonical order: the bytes that encode makes are what the chains cover.
type entry struct {
	Time    string          `json:"time"`
	Kind    guard.EventKind `json:"kind"`
	Program string          `json:"program,omitempty"`
	intentBody
	Digest        string             `json:"argument_digest,omitempty"`
	Of            int64              `json:"of,omitempty"`
	Approval      string             `json:"approval,omitempty"`
	Approver      string             `json:"approver,omitempty"`
	SameUser      bool               `json:"same_user,omitempty"`
	Rule          string             `json:"rule,omitempty"`
	Result        string             `json:"result,omitempty"`
	Detail        string             `json:"detail,omitempty"`
	After         guard.LinkSnapshot `json:"after,omitzero"`
	ARMRequestID  string             `json:"arm_request_id,omitempty"`
	CorrelationID string             `json:"correlation_id,omitempty"`
	// State names the row that changed with the entry, Gone says that it was
	// removed.
	State string `json:"state,omitempty"`
	Gone  bool   `json:"gone,omitempty"`
	// MissingFrom and MissingTo are the entries that a rollback lost.
	MissingFrom int64 `json:"missing_from,omitempty"`
	MissingTo   int64 `json:"missing_to,omitempty"`
	// Salt makes the digest of an entry that an export withholds say nothing of
	// its content.
	Salt string `json:"salt"`
}

func newEntry(e guard.Event, program string) entry {
	return entry{
		Time: formatTime(e.Time), Kind: e.Kind, Program: program, intentBody: newIntentBody(e.Intent),
		Digest: e.Intent.ArgumentDigest(), Of: e.Of, Approval: e.Approval, Approver: e.Approver, SameUser: e.SameUser, Rule: e.Rule,
		Result: e.Result, Detail: e.Detail, After: e.After,
		ARMRequestID: e.ARMRequestID, CorrelationID: e.CorrelationID, Salt: newSalt(),
	}
}

func newSalt() string {
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails: crypto/rand ends the process instead
	return base64.RawStdEncoding.EncodeToString(salt[:])
}

// encode returns the JSON of what is written, of which nothing can fail: strings,
// numbers, truth values, bytes and lists of them.
func encode(value any) []byte {
	text, _ := json.Marshal(value)
	return text
}

func decodeEntry(body []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(body, &e); err != nil {
		return entry{}, errDamaged
	}
	return e, nil
}

func (e entry) event(seq int64) (guard.Event, error) {
	var times clock
	at := times.parse(e.Time)
	return guard.Event{
		Seq: seq, Time: at, Kind: e.Kind, Intent: e.intent(), Of: e.Of,
		Approval: e.Approval, Approver: e.Approver, SameUser: e.SameUser, Rule: e.Rule,
		Result: e.Result, Detail: e.Detail, After: e.After,
		ARMRequestID: e.ARMRequestID, CorrelationID: e.CorrelationID,
	}, times.failure
}

// scanEvent takes an entry's number and body.
func scanEvent(scan scanner) (guard.Event, error) {
	var seq int64
	var body []byte
	if err := scan(&seq, &body); err != nil {
		return guard.Event{}, err
	}
	e, err := decodeEntry(body)
	if err != nil {
		return guard.Event{}, err
	}
	return e.event(seq)
}
