package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/xslices"
)

const (
	// InBandLife is how long a question asked in the client's session lives.
	InBandLife = 5 * time.Minute
	// ApproverLife is how long a question waits for an approver.
	ApproverLife = 24 * time.Hour

	// AskedWithin is how long an unconfirmed question in the client counts.
	AskedWithin = time.Hour

	// MaxPending is how many live tickets for approvers a caller may have, MaxAsked
	// how many questions in the client that count.
	MaxPending = 10
	MaxAsked   = 100
)

// Ticket is one question that waits for a person's answer.
type Ticket struct {
	// ID is what an agent sees; it refers to the ticket and opens nothing.
	ID string `json:"id"`
	Intent
	// Binding is what the second call's intent is compared with.
	Binding   runs.Digest `json:"binding"`
	CreatedAt time.Time   `json:"created"`
	ExpiresAt time.Time   `json:"expires"`
	// InBand is true for a question asked in the client's own session; its
	// answer comes back with a seal. Any other waits for an approver.
	InBand bool `json:"in_band,omitempty"`
	Spent  bool `json:"spent,omitempty"`
	// Declined says of a spent one that it ended without a confirmation.
	Declined bool `json:"declined,omitempty"`
	// Demand is what the rule wants beside one approval.
	Demand access.Demand `json:"demand,omitzero"`
	// Earlier are approvals that wait for that of another person.
	Earlier []Decision `json:"earlier,omitempty"`
	// Decision is nil as long as it is not decided.
	Decision *Decision `json:"decision,omitempty"`
	// Requester is the operating-system account that the request came from.
	Requester string `json:"requester,omitempty"`
	// Rule is the policy rule that asked.
	Rule string `json:"rule,omitempty"`
	// Plan is set where the question is about many tenants. Intent then names
	// caller, tool, partner ID and reason only.
	Plan *PlanHead `json:"plan,omitempty"`
}

// Live reports whether the ticket can still be answered or used.
func (t Ticket) Live(now time.Time) bool {
	return !t.Spent && now.Before(t.ExpiresAt) && (t.Decision == nil || t.Decision.Approved)
}

// Decide adds a decision; false if there is one. An approval before the last that the
// rule wants is kept, and decides nothing.
func (t *Ticket) Decide(d Decision) bool {
	switch {
	case t.Decision != nil:
		return false
	case d.Approved && len(t.Earlier)+1 < t.Demand.Approvers:
		t.Earlier = append(t.Earlier, d)
	default:
		t.Decision = &d
	}
	return true
}

// decisions are all that were made, in order.
func (t Ticket) decisions() []Decision {
	if t.Decision == nil {
		return t.Earlier
	}
	return append(slices.Clone(t.Earlier), *t.Decision)
}

// Approvers names who decided so far.
func (t Ticket) Approvers() string {
	return strings.Join(xslices.Map(t.decisions(), func(d Decision) string { return d.Approver }), ", ")
}

// Approvals words how many of the people that a rule wants have approved, such as
// "1 of 2"; "" where one is enough.
func (t Ticket) Approvals() string {
	if t.Demand.Approvers < 2 {
		return ""
	}
	given := xslices.Filter(t.decisions(), func(d Decision) bool { return d.Approved })
	return fmt.Sprintf("%d of %d", len(given), t.Demand.Approvers)
}

// Denial is why the question was denied, if it was.
func (t Ticket) Denial() string {
	if t.Decision == nil || t.Decision.Approved {
		return ""
	}
	return t.Decision.Reason
}

// Counts reports whether a ticket takes one of its caller's places. One for an
// approver does as long as it is live. A question in the client does for an hour
// unless it was confirmed: a person who says no again and again is to be left
// alone, and a client that answers by itself must not fill the disk.
func (t Ticket) Counts(now time.Time) bool {
	if !t.InBand {
		return t.Live(now)
	}
	return (!t.Spent || t.Declined) && now.Before(t.CreatedAt.Add(AskedWithin))
}

// Spend marks a ticket as used, with the events that are recorded of it.
func (t *Ticket) Spend(events []Event) {
	t.Spent = true
	t.Declined = slices.ContainsFunc(events, func(e Event) bool { return e.Kind == KindDeclined })
}

// Digest is what an approver signs: everything that the ticket is bound to,
// and the state seen.
func (t Ticket) Digest() [sha256.Size]byte {
	var plan []byte
	if t.Plan != nil {
		plan = t.Plan.Digest[:]
	}
	canonical, _ := json.Marshal(struct {
		ID      string
		Binding []byte
		Before  LinkSnapshot
		Expires int64
		Plan    []byte `json:",omitempty"`
	}{t.ID, t.Binding[:], t.Intent.Before, t.ExpiresAt.Unix(), plan})
	return sha256.Sum256(canonical)
}

// Joins reports whether a new ticket asks the same as a live one of its kind.
// An in-band question never joins: its answer belongs to the client that was
// asked.
func Joins(ticket, live Ticket) bool {
	return !ticket.InBand && live.Binding == ticket.Binding && live.Intent.Before == ticket.Intent.Before && live.Demand == ticket.Demand
}

// Seal is the opaque state that travels with an in-band question and comes back
// with its answer. Only the guard can make or read one.
type Seal string

// KeySize is the size of a sealing key, in bytes.
const KeySize = chacha20poly1305.KeySize

var errSeal = errors.New("not a seal of this guard")

// Sealer seals with its newest key and opens with any of its keys, so that a
// key can be replaced while questions are open.
type Sealer struct {
	keys func() ([][KeySize]byte, error)
}

// NewSealer makes a sealer; the first key is the newest. Without keys it makes
// one of its own that lives as long as the process.
func NewSealer(keys ...[KeySize]byte) *Sealer {
	if len(keys) == 0 {
		var own [KeySize]byte
		_, _ = rand.Read(own[:]) // never fails: crypto/rand ends the process instead
		keys = append(keys, own)
	}
	return LazySealer(func() ([][KeySize]byte, error) { return keys, nil })
}

// LazySealer makes a sealer that asks for its keys at each use, the newest
// first, so that a server starts before anybody has to open a vault.
func LazySealer(keys func() ([][KeySize]byte, error)) *Sealer { return &Sealer{keys} }

// kept goes with what is no question, so that neither opens as the other.
const kept = "mcp-partner kept secret"

// Seal encrypts what only servers with the same keys may read again.
func (s *Sealer) Seal(plain []byte) ([]byte, error) { return s.box(string(plain), []byte(kept)) }

// Open returns what Seal was given.
func (s *Sealer) Open(box []byte) ([]byte, error) {
	plain, ok := s.unbox(box, []byte(kept))
	if !ok {
		return nil, errSeal
	}
	return plain, nil
}

// seal binds a ticket's ID to what the ticket is bound to, its expiry included.
func (s *Sealer) seal(t Ticket) (Seal, error) {
	box, err := s.box(t.ID, bound(t))
	if err != nil {
		return "", err
	}
	return Seal(t.ID + "." + base64.RawURLEncoding.EncodeToString(box)), nil
}

// id reads which ticket a seal claims to be of; nothing is proved yet.
func (s Seal) id() (id string, box []byte, err error) {
	id, text, found := strings.Cut(string(s), ".")
	if !found {
		return "", nil, errSeal
	}
	box, err = base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(box) < chacha20poly1305.NonceSizeX {
		return "", nil, errSeal
	}
	return id, box, nil
}

// opens reports whether a seal was made for exactly this ticket.
func (s *Sealer) opens(seal Seal, t Ticket) bool {
	id, box, err := seal.id()
	if err != nil || id != t.ID {
		return false
	}
	plain, ok := s.unbox(box, bound(t))
	return ok && string(plain) == t.ID
}

// box seals a text with the newest key, bound to what else goes with it.
func (s *Sealer) box(text string, with []byte) ([]byte, error) {
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(keys[0][:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	return aead.Seal(nonce, nonce, []byte(text), with), nil
}

func (s *Sealer) unbox(box, with []byte) ([]byte, bool) {
	keys, err := s.keys()
	if err != nil || len(box) < chacha20poly1305.NonceSizeX {
		return nil, false
	}
	nonce, text := box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:]
	for _, key := range keys {
		aead, err := chacha20poly1305.NewX(key[:])
		if err != nil {
			continue
		}
		if plain, err := aead.Open(nil, nonce, text, with); err == nil {
			return plain, true
		}
	}
	return nil, false
}

// bound is what a seal authenticates beside the ID.
func bound(t Ticket) []byte {
	digest := t.Digest()
	return binary.BigEndian.AppendUint64(digest[:], uint64(t.ExpiresAt.Unix()))
}

// newID makes the ID of a ticket or a run: 72 random bits, which refer and open
// nothing.
func newID(prefix string) string {
	var ref [9]byte
	_, _ = rand.Read(ref[:]) // never fails: crypto/rand ends the process instead
	return prefix + hex.EncodeToString(ref[:])
}

// NewRunID makes the ID of a run.
func NewRunID() string { return newID("run_") }

func newTicket(intent Intent, now time.Time, life time.Duration) Ticket {
	return Ticket{ID: newID("ap_"), Intent: intent, Binding: intent.binding(), CreatedAt: now, ExpiresAt: now.Add(life)}
}
