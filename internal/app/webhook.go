package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/ledger"
	"mcp-partner/schemas/problems"
)

const (
	// Between attempts are pauses that double, from the first to the longest.
	webhookFirstPause   = 5 * time.Second
	webhookLongestPause = 10 * time.Minute
	// deliveryLife is how long a message waits until it is given up.
	deliveryLife = 24 * time.Hour
)

// webhook sends what is in the outbox: questions that wait for an approver, what changed
// of people who may decide, and changes between audits. A nil one sends nothing.
type webhook struct {
	// approvals is nil where questions are not announced.
	approvals *channel
	alerts    []config.Alert
	channels  map[string]*channel // of the alerts, by their names
	// decideAt is the address below which approvers decide, "" where there is none.
	decideAt string
	// questions are what is announced, as the outbox names them.
	questions *guard.Guard
	outbox    *ledger.Ledger
	log       *slog.Logger

	sending sync.WaitGroup
	// closed ends the pauses.
	closed context.Context
	close  context.CancelFunc
}

// approvalsURL is the address of approvals for people, or for programs.
func (s *Settings) approvalsURL() string {
	switch {
	case s.PublicURL == "":
		return ""
	case s.Console:
		return s.PublicURL + "/console/approvals/"
	default:
		return s.PublicURL + "/approvals/"
	}
}

// NewWebhook makes the one of the config file, if it has one.
func (s *Settings) NewWebhook() (w *webhook, err error) {
	if s.Config.Webhook == nil && len(s.Config.Alerts) == 0 {
		return nil, nil
	}
	w = &webhook{alerts: s.Config.Alerts, channels: map[string]*channel{}, decideAt: s.approvalsURL(), log: s.Log}
	if s.Config.Webhook != nil {
		if w.approvals, err = s.newChannel("approvals.webhook", *s.Config.Webhook); err != nil {
			return nil, err
		}
	}
	for _, alert := range w.alerts {
		if w.channels[alert.Name], err = s.newChannel("alerts "+alert.Name+".to", alert.To); err != nil {
			return nil, err
		}
	}
	w.closed, w.close = context.WithCancel(context.Background())
	return w, nil
}

// announce sends a question in the background: no call waits for a webhook. A
// failed message stays in the outbox.
func (w *webhook) announce(guard.Ticket) {
	if w != nil && w.approvals != nil {
		w.sending.Go(func() { _ = w.drain(w.closed) })
	}
}

// serve sends until the context ends what was not delivered yet, by this process
// or by one that has ended. Nothing is opened before there is a record.
func (w *webhook) serve(ctx context.Context, keepsRecord func() bool) {
	if w == nil {
		return
	}
	for failed := 1; ; {
		if keepsRecord() && w.drain(ctx) != nil {
			failed++
		} else {
			failed = 1
		}
		select {
		case <-time.After(webhookPause(failed)):
		case <-ctx.Done():
			return
		}
	}
}

// Deliver makes an attempt for each message of the outbox that is due, of whatever
// kind. A failed one stays there. Its error is that the outbox cannot be read.
func (a *App) Deliver(ctx context.Context) error {
	if a.hook == nil || !a.KeepsRecord() {
		return nil
	}
	return a.hook.drain(ctx)
}

// Untaken is the channel whose message waits for longest after a failed attempt.
type Untaken struct {
	// Channel is one of alerts, or "" for that of approvals.
	Channel string
	// Messages counts those that wait for it; Tries is the most attempts of one.
	Messages, Tries int
	// Configured says that the config file names the channel.
	Configured bool
}

// Untaken has no Messages where each was taken or not tried yet.
func (a *App) Untaken(ctx context.Context) (Untaken, error) {
	waiting, err := a.Ledger.Undelivered(ctx)
	if err != nil || len(waiting) == 0 {
		return Untaken{}, err
	}
	return untaken(a.settings.Config.Alerts, waiting), nil
}

func untaken(alerts []config.Alert, waiting []ledger.Message) Untaken {
	u := Untaken{Channel: waiting[0].Channel()}
	u.Configured = slices.ContainsFunc(alerts, func(one config.Alert) bool { return one.Name == u.Channel })
	for _, m := range waiting {
		if m.Channel() == u.Channel {
			u.Messages, u.Tries = u.Messages+1, max(u.Tries, m.Tries)
		}
	}
	return u
}

// drain makes an attempt for each message that is due. Once the context has ended it
// begins no further one.
func (w *webhook) drain(until context.Context) error {
	ctx := context.WithoutCancel(until)
	for {
		due, ok, err := w.outbox.Claim(ctx, webhookPause)
		if err != nil {
			w.log.Warn("the outbox cannot be read, so nothing is announced", "problem", problems.As(err).Code)
		}
		if err != nil || !ok {
			return err
		}
		if err := w.deliver(ctx, due); err != nil {
			w.log.Warn("a message cannot be sent", "kind", due.Kind, "name", due.Name, "problem", problems.As(err).Code)
		}
		if until.Err() != nil {
			return nil
		}
	}
}

// webhookPause doubles from the first to the longest.
func webhookPause(tries int) time.Duration {
	return min(webhookFirstPause<<min(tries-1, 16), webhookLongestPause)
}

// deliver sends a message, and forgets one that was taken or that nobody has to get
// any more. It gives up one that has waited too long.
func (w *webhook) deliver(ctx context.Context, m ledger.Message) error {
	to, what, late, err := w.message(ctx, m)
	if err != nil {
		return err
	}
	if what == nil && !late {
		return w.outbox.Delivered(ctx, m)
	}
	done := attempt{}
	switch {
	case what == nil:
	case to == nil:
		w.log.Warn("a message is for a channel that the config file does not name", "kind", m.Kind, "name", m.Name)
	default:
		body, err := to.format(what)
		if err != nil {
			return err
		}
		if done = to.post(m, body); done.taken() {
			return w.outbox.Delivered(ctx, m)
		}
		w.log.Warn("a message was not taken", "kind", m.Kind, "name", m.Name, "status", done.status, "reason", done.why(), "reached", done.err == nil, "again_at", m.Again.UTC().Format(time.RFC3339))
	}
	if late || m.Age >= deliveryLife {
		return w.outbox.Delivered(ctx, m, undelivered(m))
	}
	return nil
}

// undelivered says in the record that a message was given up.
func undelivered(m ledger.Message) guard.Event {
	event := guard.Event{Time: time.Now(), Kind: guard.KindUndelivered, Detail: fmt.Sprintf("The message %s/%s was not taken in %s and %d attempts, and was given up.", m.Kind, m.Name, m.Age.Round(time.Minute), m.Tries)}
	if m.Kind == ledger.OutboxApproval {
		event.Approval = m.Name
	}
	return event
}

// message is where a message goes and what it says, nil if nobody has to get it any
// more; late says that its time has passed instead.
func (w *webhook) message(ctx context.Context, m ledger.Message) (to *channel, what notice, late bool, err error) {
	switch m.Kind {
	case ledger.OutboxApproval:
		what, late, err = w.question(ctx, m.Name)
		return w.approvals, what, late, err
	case ledger.OutboxPerson:
		what, err = w.person(ctx, m.Name)
		return w.approvals, what, false, err
	}
	what, err = w.changes(ctx, m.Name)
	return w.channels[m.Channel()], what, false, err
}

// question is what to send of one, nil if it no longer waits; late says that it
// expired before anybody was told.
func (w *webhook) question(ctx context.Context, id string) (what notice, late bool, err error) {
	ticket, err := w.questions.Question(ctx, id, "")
	switch {
	case err != nil && problems.As(err).Code == problems.CodeApprovalUnknown:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case w.questions.State(ticket) != guard.StatePending:
		return nil, w.questions.State(ticket) == guard.StateExpired, nil
	}
	var plan guard.Plan
	if ticket.Plan != nil {
		if plan, err = w.questions.PlanOf(ctx, ticket); err != nil {
			return nil, false, err
		}
	}
	return announce(ticket, plan, w.decideAt), false, nil
}

// wait lets attempts that were begun end; each is bounded.
func (w *webhook) wait() {
	if w == nil {
		return
	}
	w.close()
	w.sending.Wait()
}
