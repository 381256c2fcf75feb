package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/ledger"
)

const (
	// webhookWithin bounds one attempt.
	webhookWithin = 5 * time.Second
	// webhookSignature carries the HMAC-SHA256 of the body, in hexadecimal.
	webhookSignature = "X-MCP-Partner-Signature"
	// webhookID is the same at each attempt.
	webhookID = "X-MCP-Partner-Delivery"
	// minWebhookKey is the least length of the key, in bytes.
	minWebhookKey = 16
	maxWebhookKey = 4096
)

// channel is where messages go.
type channel struct {
	url    string
	key    []byte // nil signs nothing
	format func(notice) ([]byte, error)
	client *http.Client
}

// newChannel makes one of the config file; where names its section.
func (s *Settings) newChannel(where string, settings config.Webhook) (*channel, error) {
	url, err := webhookURL(where, settings)
	if err != nil {
		return nil, err
	}
	key, err := webhookKey(where, settings)
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{Getenv: s.Getenv, PublicOnly: true, AllowPrivate: settings.AllowPrivate}) // follows no redirect
	if err != nil {
		return nil, err
	}
	client.Timeout = webhookWithin
	return &channel{url: url, key: key, format: webhookFormats()[settings.Format], client: client}, nil
}

func webhookURL(where string, settings config.Webhook) (string, error) {
	if settings.URLFile == "" {
		return settings.URL, nil
	}
	next := "correct " + where + ".url_file in the config file"
	raw, err := disk.ReadTrusted(settings.URLFile, disk.Secret, maxWebhookKey)
	if err != nil {
		return "", exit.FileError("the file of the webhook's URL", settings.URLFile, next, err)
	}
	url := string(bytes.TrimSpace(raw))
	if err := settings.CheckURL(url); err != nil {
		return "", exit.Usage(next, "the file of the webhook's URL %s cannot be used: %s", settings.URLFile, err)
	}
	return url, nil
}

// webhookKey reads the key that signs messages.
func webhookKey(where string, settings config.Webhook) ([]byte, error) {
	if settings.KeyFile == "" {
		return nil, nil
	}
	next := "correct " + where + ".key_file in the config file; a key is made with: openssl rand -hex 32 > FILE"
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

// attempt is what came of one delivery.
type attempt struct {
	status int
	err    error
}

func (a attempt) taken() bool { return a.err == nil && a.status/100 == 2 }

// why says why a message was not taken. The error's text may hold the URL, and a URL
// may hold a token.
func (a attempt) why() string {
	switch {
	case errors.Is(a.err, httpclient.ErrPrivate):
		return "the address is a private one; allow-private does not name its network"
	case a.err != nil:
		return "no answer"
	}
	return "refused"
}

// post makes one attempt, also while the server ends.
func (c *channel) post(m ledger.Message, body []byte) attempt {
	ctx, cancel := context.WithTimeout(context.Background(), webhookWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return attempt{err: err}
	}
	request.Close = true // the next one is far away
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhookID, m.Kind+"/"+m.Name)
	if c.key != nil {
		request.Header.Set(webhookSignature, signature(c.key, body))
	}
	response, err := c.client.Do(request)
	if err != nil {
		return attempt{err: err}
	}
	return attempt{response.StatusCode, response.Body.Close()}
}

// notice is what a channel gets: its own JSON for programs, or a chat's.
type notice interface{ chat() chat }

// chat is a notice for people. Lines are plain text and hold what others wrote;
// Title and Link are ours.
type chat struct {
	Title string
	Lines []string
	// URL is where a person goes on, or "", and Link what it is called.
	URL, Link string
}

// object is a JSON object of somebody else's form.
type object map[string]any

func webhookFormats() map[string]func(notice) ([]byte, error) {
	return map[string]func(notice) ([]byte, error){
		"json":  func(n notice) ([]byte, error) { return json.Marshal(n) },
		"slack": func(n notice) ([]byte, error) { return n.chat().slack() },
		"teams": func(n notice) ([]byte, error) { return n.chat().teams() },
	}
}

// slack shows everything that is not ours in plain_text, in which Slack reads
// neither mentions nor links. The text outside of the blocks, which it does read,
// goes into notifications. A block has room for 3 000 characters.
func (c chat) slack() ([]byte, error) {
	var blocks []object
	for _, line := range c.Lines {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "plain_text", "text": line, "emoji": false}})
	}
	if c.URL != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": "<" + c.URL + "|" + c.Link + ">", "verbatim": true}})
	}
	return json.Marshal(object{"text": c.Title, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

// teams makes an Adaptive Card. Runs of a RichTextBlock are no Markdown, as a
// TextBlock would be.
func (c chat) teams() ([]byte, error) {
	var body []object
	for i, line := range c.Lines {
		body = append(body, object{"type": "RichTextBlock", "inlines": []object{{"type": "TextRun", "text": line, "weight": map[bool]string{true: "Bolder", false: "Default"}[i == 0]}}})
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "msteams": object{"width": "Full"}}
	if c.URL != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": c.Link, "url": c.URL}}
	}
	return json.Marshal(object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}})
}

// lastHeadWithin bounds the push at the end of a server.
const lastHeadWithin = 5 * time.Second

// PushHeads puts a signed head of the ledger where the config file says. Nothing is
// done where it says nothing, where there is no record, or where the last head that
// was pushed names the same entry.
func (a *App) PushHeads(ctx context.Context) error {
	settings := a.settings.Config.Heads
	if settings == nil || !a.KeepsRecord() || !a.Ledger.Begun() {
		return nil
	}
	return a.Ledger.PushHead(ctx, func(head ledger.Head) error {
		line, err := json.Marshal(head)
		if err != nil {
			return err
		}
		if settings.File != "" {
			return appendHead(settings.File, append(line, '\n'))
		}
		return a.settings.postHead(*settings.To, head.Seq, line)
	})
}

// PushLastHead is PushHeads for a server that ends.
func (a *App) PushLastHead() {
	ctx, cancel := context.WithTimeout(context.Background(), lastHeadWithin)
	defer cancel()
	if err := a.PushHeads(ctx); err != nil {
		a.settings.Log.Warn("the newest head of the ledger could not be pushed", "reason", exit.MessageOf(err))
	}
}

// appendHead adds a line to a file. A line that was cut off stays, on a line of its
// own.
func appendHead(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return headFailed(path, disk.Cause(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return headFailed(path, "it is no file")
	}
	last := []byte{'\n'}
	if err == nil && info.Size() > 0 {
		_, err = file.ReadAt(last, info.Size()-1)
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if err == nil {
		_, err = file.Write(line)
	}
	if err = errors.Join(err, file.Sync()); err != nil {
		return headFailed(path, disk.Cause(err))
	}
	return nil
}

func headFailed(where, cause string) error {
	return exit.Failed("correct heads in the config file", "the head of the ledger cannot be written to %s: %s", where, cause)
}

// postHead makes one attempt; the next one is a minute away.
func (s *Settings) postHead(settings config.Webhook, seq int64, body []byte) error {
	to, err := s.newChannel("heads", settings)
	if err != nil {
		return err
	}
	if done := to.post(ledger.Message{Kind: "head", Name: strconv.FormatInt(seq, 10)}, body); !done.taken() {
		return headFailed("its URL", fmt.Sprintf("%s, status %d", done.why(), done.status))
	}
	return nil
}

// signature is the HMAC-SHA256 of a body, as a header carries it.
func signature(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
