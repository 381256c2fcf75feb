package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	// webhookWithin bounds one announcement.
	webhookWithin = 5 * time.Second
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
	key    []byte
	client *http.Client
	log    *slog.Logger
	sent   sync.WaitGroup
}

// announced is what a webhook gets: enough to find the question, and nothing
// that was written by somebody else but the tenant's name in the directory.
type announced struct {
	ID        string `json:"id"`
	Tool      string `json:"tool"`
	Tenant    string `json:"tenant"`
	PartnerID string `json:"partner_id"`
	// Tenants is how many tenants a plan is for; such a question has no Tenant.
	Tenants   int    `json:"tenants,omitempty"`
	Requester string `json:"requester"`
	ExpiresAt string `json:"expires_at"`
}

// NewWebhook makes the one of the config file, if it has one.
func (s *Settings) NewWebhook() (*webhook, error) {
	settings := s.Config.Webhook()
	if settings == nil {
		return nil, nil
	}
	key, err := webhookKey(settings)
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{}) // follows no redirect
	if err != nil {
		return nil, err
	}
	client.Timeout = webhookWithin
	return &webhook{url: settings.URL, key: key, client: client, log: s.Log}, nil
}

func webhookKey(settings *config.Webhook) ([]byte, error) {
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

// announce tells of a question in the background: nobody waits for a webhook,
// and one that fails is logged and not tried again.
func (w *webhook) announce(ticket guard.Ticket) {
	if w == nil {
		return
	}
	w.sent.Go(func() {
		if status, err := w.post(ticket); err != nil || status/100 != 2 {
			// The error's text may hold the URL, and a URL may hold a token.
			w.log.Warn("a pending approval could not be announced", "approval", ticket.ID, "status", status, "reached", err == nil)
		}
	})
}

func (w *webhook) post(ticket guard.Ticket) (int, error) {
	what := announced{
		ID: ticket.ID, Tool: ticket.Intent.Tool, Tenant: ticket.Intent.Identity.Tenant, PartnerID: ticket.Intent.PartnerID,
		Requester: ticket.Requester, ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
	}
	if ticket.Plan != nil {
		what.Tenants = ticket.Plan.Rows
	}
	body, err := json.Marshal(what)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), webhookWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, w.key)
	mac.Write(body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhookSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response, err := w.client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// wait lets announcements that were begun end; each is bounded.
func (w *webhook) wait() {
	if w == nil {
		return
	}
	w.sent.Wait()
	w.client.CloseIdleConnections()
}
