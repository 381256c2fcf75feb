package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/ledger"
	"mcp-partner/schemas/problems"
)

const (
	// webhookWithin bounds one attempt. Between attempts are pauses that double, from
	// the first to the longest.
	webhookWithin       = 5 * time.Second
	webhookFirstPause   = 5 * time.Second
	webhookLongestPause = 10 * time.Minute
	// webhookSignature carries the HMAC-SHA256 of the body, in hexadecimal.
	webhookSignature = "X-MCP-Partner-Signature"
	// webhookID is the same at each attempt.
	webhookID = "X-MCP-Partner-Delivery"
	// minWebhookKey is the least length of the key, in bytes.
	minWebhookKey = 16
	maxWebhookKey = 4096
)

// webhook announces questions that wait for an approver. A nil one announces
// nothing.
type webhook struct {
	url    string
	key    []byte // nil signs nothing
	format func(announcement) ([]byte, error)
	// public is the server's address for approvers, "" where it has none.
	public string
	// questions are what is announced, as the outbox names them.
	questions *guard.Guard
	outbox    *ledger.Ledger
	client    *http.Client
	log       *slog.Logger

	sending sync.WaitGroup
	// closed ends the pauses.
	closed context.Context
	close  context.CancelFunc
}

// NewWebhook makes the one of the config file, if it has one.
func (s *Settings) NewWebhook() (*webhook, error) {
	settings := s.Config.Webhook
	if settings == nil {
		return nil, nil
	}
	url, err := webhookURL(settings)
	if err != nil {
		return nil, err
	}
	key, err := webhookKey(settings)
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{Getenv: s.getenv}) // follows no redirect
	if err != nil {
		return nil, err
	}
	client.Timeout = webhookWithin
	w := &webhook{url: url, key: key, format: webhookFormats()[settings.Format], public: s.PublicURL, client: client, log: s.Log}
	w.closed, w.close = context.WithCancel(context.Background())
	return w, nil
}

func webhookURL(settings *config.Webhook) (string, error) {
	if settings.URLFile == "" {
		return settings.URL, nil
	}
	const next = "correct approvals.webhook.url_file in the config file"
	raw, err := disk.ReadTrusted(settings.URLFile, disk.Secret, maxWebhookKey)
	if err != nil {
		return "", exit.FileError("the file of the webhook's URL", settings.URLFile, next, err)
	}
	url := string(bytes.TrimSpace(raw))
	if err := config.CheckWebhookURL(url); err != nil {
		return "", exit.Usage(next, "the file of the webhook's URL %s cannot be used: %s", settings.URLFile, err)
	}
	return url, nil
}

func webhookKey(settings *config.Webhook) ([]byte, error) {
	if settings.KeyFile == "" {
		return nil, nil
	}
	return readKey(settings.KeyFile, "the webhook's key file", "correct approvals.webhook.key_file in the config file")
}

// readKey reads a key that signs messages.
func readKey(path, what, next string) ([]byte, error) {
	next += "; a key is made with: openssl rand -hex 32 > FILE"
	raw, err := disk.ReadTrusted(path, disk.Secret, maxWebhookKey)
	if err != nil {
		return nil, exit.FileError(what, path, next, err)
	}
	key := bytes.TrimRight(raw, "\r\n")
	if len(key) < minWebhookKey {
		return nil, exit.Usage(next, "%s %s does not hold a key of at least %d bytes", what, path, minWebhookKey)
	}
	return key, nil
}

// announce sends a question in the background: no call waits for a webhook. A
// failed message stays in the outbox.
func (w *webhook) announce(guard.Ticket) {
	if w != nil {
		w.sending.Go(func() { _ = w.drain(w.closed) })
	}
}

// serve announces until the context ends what was not delivered yet, by this process
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

// drain makes an attempt for each announcement that is due. Once the context has
// ended it begins no further one.
func (w *webhook) drain(until context.Context) error {
	ctx := context.WithoutCancel(until)
	for {
		due, ok, err := w.outbox.Claim(ctx, ledger.OutboxApproval, webhookPause)
		if err != nil {
			w.log.Warn("pending approvals cannot be announced", "problem", problems.As(err).Code)
		}
		if err != nil || !ok {
			return err
		}
		if err := w.deliver(ctx, due); err != nil {
			w.log.Warn("a pending approval cannot be announced", "approval", due.Name, "problem", problems.As(err).Code)
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

// deliver sends an announcement, and forgets one that was taken or whose question
// has ended.
func (w *webhook) deliver(ctx context.Context, m ledger.Message) error {
	body, err := w.message(ctx, m.Name)
	if err != nil {
		return err
	}
	if body != nil {
		status, err := w.post(m, body)
		if err != nil || status/100 != 2 {
			// The error's text may hold the URL, and a URL may hold a token.
			w.log.Warn("a pending approval could not be announced", "approval", m.Name, "status", status, "reached", err == nil, "again_at", m.Again.UTC().Format(time.RFC3339))
			return nil
		}
	}
	return w.outbox.Delivered(ctx, m)
}

// message is what to send of a question, nil if it no longer waits.
func (w *webhook) message(ctx context.Context, id string) ([]byte, error) {
	ticket, err := w.questions.Question(ctx, id, "")
	switch {
	case err != nil && problems.As(err).Code == problems.CodeApprovalUnknown:
		return nil, nil
	case err != nil:
		return nil, err
	case w.questions.State(ticket) != guard.StatePending:
		return nil, nil
	}
	var plan guard.Plan
	if ticket.Plan != nil {
		if plan, err = w.questions.PlanOf(ctx, ticket); err != nil {
			return nil, err
		}
	}
	return w.format(announce(ticket, plan, w.public))
}

// post makes one attempt, also while the server ends.
func (w *webhook) post(m ledger.Message, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), webhookWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Close = true // the next one is far away
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhookID, m.Kind+"/"+m.Name)
	if w.key != nil {
		request.Header.Set(webhookSignature, signature(w.key, body))
	}
	response, err := w.client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// wait lets attempts that were begun end; each is bounded.
func (w *webhook) wait() {
	if w == nil {
		return
	}
	w.close()
	w.sending.Wait()
}
