package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
)

const (
	// webhookWithin bounds one attempt. Between attempts are pauses that double, from
	// the first to the longest.
	webhookWithin       = 5 * time.Second
	webhookFirstPause   = 5 * time.Second
	webhookLongestPause = 10 * time.Minute
	// webhookSignature carries the HMAC-SHA256 of the body, in hexadecimal.
	webhookSignature = "X-MCP-Partner-Signature"
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
	// pending reports whether a question still waits.
	pending func(ctx context.Context, id string) bool
	client  *http.Client
	log     *slog.Logger

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
	w.pending = func(context.Context, string) bool { return true }
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
	const next = "correct approvals.webhook.key_file in the config file; a key is made with: openssl rand -hex 32 > FILE"
	raw, err := disk.ReadTrusted(settings.KeyFile, disk.Secret, maxWebhookKey)
	if err != nil {
		return nil, exit.FileError("the webhook's key file", settings.KeyFile, next, err)
	}
	key := bytes.TrimRight(raw, "\r\n")
	if len(key) < minWebhookKey {
		return nil, exit.Usage(next, "the webhook's key file %s does not hold a key of at least %d bytes", settings.KeyFile, minWebhookKey)
	}
	return key, nil
}

// announce tells of a question in the background: nobody waits for a webhook.
func (w *webhook) announce(ticket guard.Ticket) {
	if w == nil {
		return
	}
	body, err := w.format(announce(ticket, w.public))
	if err != nil {
		w.log.Error("a pending approval cannot be announced", "approval", ticket.ID)
		return
	}
	w.sending.Go(func() { w.deliver(ticket, body) })
}

// deliver sends until somebody takes the announcement, the question ends, or the
// server does.
func (w *webhook) deliver(ticket guard.Ticket, body []byte) {
	ctx, cancel := context.WithDeadline(w.closed, ticket.ExpiresAt)
	defer cancel()
	for pause := webhookFirstPause; ; pause = min(2*pause, webhookLongestPause) {
		status, err := w.post(body)
		if err == nil && status/100 == 2 {
			return
		}
		// The error's text may hold the URL, and a URL may hold a token.
		w.log.Warn("a pending approval could not be announced", "approval", ticket.ID, "status", status, "reached", err == nil, "again_in", pause.String())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if !w.pending(ctx, ticket.ID) {
			return
		}
	}
}

// post makes one attempt, also while the server ends.
func (w *webhook) post(body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), webhookWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Close = true // the next one is far away
	request.Header.Set("Content-Type", "application/json")
	if w.key != nil {
		mac := hmac.New(sha256.New, w.key)
		mac.Write(body)
		request.Header.Set(webhookSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
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
