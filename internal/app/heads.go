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
	"time"

	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/ledger"
)

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
	return a.Ledger.PushHead(ctx, func(ctx context.Context, head ledger.Head) error {
		line, err := json.Marshal(head)
		if err != nil {
			return err
		}
		if settings.File != "" {
			return appendHead(settings.File, append(line, '\n'))
		}
		return a.settings.postHead(ctx, settings, line)
	})
}

// PushLastHead is PushHeads for a server that ends.
func (a *App) PushLastHead() {
	ctx, cancel := context.WithTimeout(context.Background(), lastHeadWithin)
	defer cancel()
	if err := a.PushHeads(ctx); err != nil {
		a.settings.Log.Warn("the newest head of the ledger could not be pushed", "cause", exit.MessageOf(err))
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

// postHead makes one attempt. The URL may hold a password, so no error repeats it.
func (s *Settings) postHead(ctx context.Context, settings *config.Heads, body []byte) error {
	const where = "the URL of heads"
	client, err := httpclient.New(httpclient.Options{Getenv: s.getenv, PublicOnly: !settings.AllowPrivate}) // follows no redirect
	if err != nil {
		return err
	}
	client.Timeout = webhookWithin
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, settings.URL, bytes.NewReader(body))
	if err != nil {
		return headFailed(where, "it is not a URL")
	}
	request.Close = true // the next one is far away
	request.Header.Set("Content-Type", "application/json")
	if settings.KeyFile != "" {
		key, err := readKey(settings.KeyFile, "the key file of heads", "correct heads.key_file in the config file")
		if err != nil {
			return err
		}
		request.Header.Set(webhookSignature, signature(key, body))
	}
	response, err := client.Do(request)
	switch {
	case err != nil:
		return headFailed(where, "it cannot be reached")
	case response.StatusCode/100 != 2:
		err = headFailed(where, fmt.Sprintf("it answers with status %d", response.StatusCode))
	}
	return errors.Join(err, response.Body.Close())
}

// signature is the HMAC-SHA256 of a body, as a header carries it.
func signature(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
