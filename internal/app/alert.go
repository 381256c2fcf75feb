package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/ledger"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// alertsAtOnce is how many changes are recorded in one transaction, and are in one
// message at most.
const alertsAtOnce = 50

// AlertChanges compares a finished audit with the last one that its caller asked the
// same, and puts what the channels of the configuration want to know into the
// outbox. It returns how many changes that were; those that were alerted before are
// not among them, so it can be called again.
func (a *App) AlertChanges(ctx context.Context, run fleet.Run) (sent int, err error) {
	if a.hook == nil || len(a.hook.alerts) == 0 || !a.KeepsRecord() {
		return 0, nil
	}
	if run, err = a.Fleet.Run(ctx, fleet.Operator, run.ID); err != nil || run.State != fleet.RunFinished {
		return 0, err
	}
	before, ok, err := a.Fleet.Previous(ctx, run)
	if err != nil || !ok {
		return 0, err
	}
	diff, err := a.Fleet.Diff(ctx, before, run)
	if err != nil {
		return 0, err
	}
	var batch []ledger.Alert
	for change, err := range diff.Changes(ctx) {
		if err != nil {
			return sent, err
		}
		if channels := a.hook.wanting(change.Kind); len(channels) > 0 && !change.Quiet() {
			batch = append(batch, alertOf(change, before, run, channels))
		}
		if len(batch) == alertsAtOnce {
			n, err := a.Ledger.Alert(ctx, batch)
			if sent, batch = sent+n, nil; err != nil {
				return sent, err
			}
		}
	}
	n, err := a.Ledger.Alert(ctx, batch)
	return sent + n, err
}

// Acknowledge records that somebody knows of the state of a tenant, or without Until
// that nobody has to any more; ok is false if nobody did. By is the person, or "" for
// the account of this process.
func (a *App) Acknowledge(ctx context.Context, known fleet.Acknowledgement, by access.Caller) (ok bool, err error) {
	by = cmp.Or(by, access.Caller("account:"+Account()))
	known.By, known.Note, known.Owner = strings.TrimPrefix(string(by), "account:"), untrusted.Sanitize(known.Note), untrusted.Sanitize(known.Owner)
	detail := "Alerts about the tenant are sent again."
	if !known.Until.IsZero() {
		detail = fmt.Sprintf("No alerts about the tenant until %s: %s", known.Until.UTC().Format(time.DateOnly), known.Note)
	}
	return a.Record().Acknowledge(ctx, known, guard.Event{
		Time: time.Now(), Kind: guard.KindAcknowledged, Approver: known.By, Detail: detail,
		Intent: guard.Intent{Caller: by, Identity: answers.Identity{Tenant: known.Tenant, TenantID: known.TenantID, Credential: known.Credential}},
	})
}

// wanting names the channels that are told of changes of a kind.
func (w *webhook) wanting(kind answers.ChangeKind) (names []string) {
	for _, alert := range w.alerts {
		if slices.Contains(alert.Changes, kind) {
			names = append(names, alert.Name)
		}
	}
	return names
}

// alertOf is a change for the record. The end of a credential is one change for all
// its tenants.
func alertOf(c fleet.Change, before, run fleet.Run, channels []string) ledger.Alert {
	row := c.Row()
	name := row.TenantID + "/" + cmp.Or(row.ObjectID, row.Credential)
	detail := strings.Join(c.Roles, " ")
	if c.Kind == answers.KindCredentialExpires {
		name, detail = "credential/"+row.Credential, "The credential "+row.Credential+" ends at "+row.CredentialExpires+"."
	}
	since, seen := before.CreatedAt, run.CreatedAt
	if c.Before != nil {
		since = checkedAt(c.Before, since)
	}
	if c.After != nil {
		seen = checkedAt(c.After, seen)
	}
	return ledger.Alert{Name: name + "/" + string(c.Kind), Since: since, Seen: seen, Channels: channels, Event: guard.Event{
		Time: time.Now(), Kind: guard.KindChange, Result: string(c.Kind), Detail: detail, After: snapshotOf(c.After),
		Intent: guard.Intent{
			Caller: run.Caller, Run: run.ID, Company: row.Company, Domain: row.Domain, Before: snapshotOf(c.Before),
			Identity: answers.Identity{TenantID: row.TenantID, Tenant: row.Tenant, ObjectID: row.ObjectID, Cloud: row.Cloud, Credential: row.Credential},
		},
	}}
}

func checkedAt(row *answers.AuditRow, otherwise time.Time) time.Time {
	if at, err := time.Parse(time.RFC3339, row.CheckedAt); err == nil {
		return at
	}
	return otherwise
}

func snapshotOf(row *answers.AuditRow) guard.LinkSnapshot {
	if row == nil {
		return guard.LinkSnapshot{}
	}
	s := guard.LinkSnapshot{State: answers.LinkState(row.State), PartnerID: partnerid.ID(row.PartnerID), Version: -1}
	if row.State.Linked() {
		s.State = answers.LinkLinked
	}
	if row.Version != nil {
		s.Version = *row.Version
	}
	return s
}

// changesNotice is what a channel gets of the changes that an audit found.
type changesNotice struct {
	Text string `json:"text"`
	// RunID is the audit that found them.
	RunID   string         `json:"run_id"`
	Changes []noticeChange `json:"changes"`
}

// noticeChange is one change. Company is untrusted text.
type noticeChange struct {
	// ID is the number of the entry in the record.
	ID       int64              `json:"id"`
	Kind     answers.ChangeKind `json:"kind"`
	Company  string             `json:"company,omitempty"`
	Domain   string             `json:"domain,omitempty"`
	Tenant   string             `json:"tenant"`
	TenantID string             `json:"tenant_id"`
	ObjectID string             `json:"object_id,omitempty"`
	// Before and After are the links; one without a state was in no audit.
	Before noticeLink `json:"before"`
	After  noticeLink `json:"after"`
	Detail string     `json:"detail,omitempty"`
}

type noticeLink struct {
	State     answers.LinkState `json:"state,omitempty"`
	PartnerID partnerid.ID      `json:"partner_id,omitempty"`
}

// changes is the notice of the entries that a message names, nil if its channel
// wants none of them any more.
func (w *webhook) changes(ctx context.Context, message string) (notice, error) {
	name, entries, _ := strings.Cut(message, "/")
	from, to, _ := strings.Cut(entries, "-")
	first, _ := strconv.ParseInt(from, 10, 64)
	last, _ := strconv.ParseInt(to, 10, 64)
	events, err := w.outbox.List(ctx, ledger.Filter{Kind: guard.KindChange, After: first - 1, Limit: int(last - first + 1)})
	if err != nil {
		return nil, err
	}
	var found changesNotice
	for _, alert := range w.alerts {
		for _, event := range events {
			if alert.Name == name && event.Seq <= last && slices.Contains(alert.Changes, answers.ChangeKind(event.Result)) {
				found.RunID = event.Intent.Run
				found.Changes = append(found.Changes, changeOf(event))
			}
		}
	}
	if w.channels[name] != nil && len(found.Changes) == 0 {
		return nil, nil
	}
	found.Text = fmt.Sprintf("%s of partner links since the last audit.", phrase.Count(len(found.Changes), "change"))
	return found, nil
}

func changeOf(e guard.Event) noticeChange {
	id := e.Intent.Identity
	return noticeChange{
		ID: e.Seq, Kind: answers.ChangeKind(e.Result), Company: inert(e.Intent.Company), Domain: inert(e.Intent.Domain), Tenant: inert(id.Tenant), TenantID: id.TenantID, ObjectID: id.ObjectID,
		Before: noticeLink{e.Intent.Before.State, e.Intent.Before.PartnerID}, After: noticeLink{e.After.State, e.After.PartnerID}, Detail: inert(e.Detail),
	}
}

// chatLines is how many changes a chat shows.
const chatLines = 20

func (n changesNotice) chat() chat {
	c := chat{Title: n.Text, Lines: []string{n.Text}}
	for i, change := range n.Changes {
		if i == chatLines {
			c.Lines = append(c.Lines, fmt.Sprintf("And %d more: mcp-partner audit changes", len(n.Changes)-i))
			break
		}
		c.Lines = append(c.Lines, change.line())
	}
	return c
}

// line says a change in one line of plain text.
func (n noticeChange) line() string {
	who := n.Tenant
	if n.Company != "" && n.Company != n.Tenant {
		who = n.Company + " (" + n.Tenant + ")"
	}
	text := fmt.Sprintf("%s: %s", phrase.Words(n.Kind), who)
	if n.Kind.AboutLink() || n.Kind == answers.KindIdentityReplaced {
		text += ", " + n.Before.words() + " before, " + n.After.words() + " now"
	}
	return strings.TrimSpace(text + ". " + n.Detail)
}

func (l noticeLink) words() string {
	return strings.TrimSpace(fmt.Sprint(phrase.Words(l.State), " ", l.PartnerID))
}
