package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
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
