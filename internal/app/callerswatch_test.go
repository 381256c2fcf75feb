package app

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/auth"
	"mcp-partner/internal/config"
)

// The watched config file gets valid and invalid changes.
func TestCallersAreReloadedWhenConfigChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	var log bytes.Buffer
	var remapped []string
	w := &callersWatch{
		path: path, log: slog.New(slog.NewTextHandler(&log, nil)),
		parse: func(data []byte) (config.File, error) { return config.Parse(path, data, []string{"log-level"}) },
		remap: func(m auth.Mapping) error {
			given := "nobody"
			if len(m.Grants) > 0 {
				given = strings.Join(m.Grants[0].Tenants, "+")
			}
			if given == "refused" {
				return errors.New("grant 1 is no good")
			}
			remapped = append(remapped, given)
			return nil
		},
	}
	grants := func(tenants string) string {
		return "callers:\n  grants:\n    - {issuer: https://issuer.example, subject: alice, tenants: [" + tenants + "]}\n"
	}
	for _, step := range []struct{ name, content, remapped, says string }{
		{name: "no file", content: "-"},
		{name: "a grant", content: grants("contoso, fabrikam"), remapped: "contoso+fabrikam", says: "reloaded"},
		{name: "the same", content: grants("contoso, fabrikam")},
		{name: "another section", content: "log-level: debug\n" + grants("contoso, fabrikam")},
		{name: "a tenant less", content: grants("contoso"), remapped: "contoso", says: "reloaded"},
		{name: "half of it", content: grants("contoso")[:30], says: "callers keep what they had"},
		{name: "still half of it", content: grants("contoso")[:30]},
		{name: "refused", content: grants("refused"), says: "grant 1 is no good"},
		{name: "gone", content: "-", says: "callers keep what they had"},
		{name: "still gone", content: "-"},
		{name: "back as it was", content: grants("contoso")},
		{name: "emptied", remapped: "nobody", says: "reloaded"},
	} {
		log.Reset()
		remapped = nil
		if step.content == "-" {
			_ = os.Remove(path) // that it is gone already is as good
		} else if err := os.WriteFile(path, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		w.look()
		if len(remapped) > 0 || log.Len() > 0 {
			t.Errorf("%s: tried while it may still be written", step.name)
		}
		w.look()
		if got := strings.Join(remapped, " "); got != step.remapped || !strings.Contains(log.String(), step.says) || step.says == "" && log.Len() > 0 {
			t.Errorf("%s: %q, want %q; the log says %q", step.name, got, step.remapped, log.String())
		}
	}
}

// A call that begins after the file was written is answered by it, and no call by a
// file that is being written.
func TestChangedCallersApplyToNextCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	grants := func(tenants string) string {
		return "callers:\n  grants:\n    - {issuer: https://issuer.example, subject: alice, tenants: [" + tenants + "]}\n"
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(grants("contoso, fabrikam"))
	synctest.Test(t, func(t *testing.T) {
		var given [][]string
		w := &callersWatch{
			path: path, log: slog.New(slog.DiscardHandler),
			parse: func(data []byte) (config.File, error) { return config.Parse(path, data, nil) },
			remap: func(m auth.Mapping) error { given = append(given, m.Grants[0].Tenants); return nil },
		}
		w.refresh()
		write(grants("contoso"))
		w.refresh()
		w.refresh()
		write(grants("contoso, litware, adventure-works"))
		go func() {
			time.Sleep(settleTime / 2)
			write(grants("litware"))
		}()
		w.refresh()
		if want := [][]string{{"contoso", "fabrikam"}, {"contoso"}, {"litware"}}; !reflect.DeepEqual(given, want) {
			t.Errorf("%q, want %q", given, want)
		}
	})
}

// A file of which half has come is no other file yet, even where the half is good.
func TestPartialConfigKeepsGrants(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	const whole = "callers:\n  grants:\n    - issuer: https://issuer.example\n      subject: alice\n      tenants:\n        - contoso-test\n      partner_ids: [\"1234567\"]\n"
	var grants []auth.CallerGrant
	w := &callersWatch{
		path: path, log: slog.New(slog.DiscardHandler),
		parse: func(data []byte) (config.File, error) { return config.Parse(path, data, nil) },
		remap: func(m auth.Mapping) error { grants = append(grants, m.Grants...); return nil },
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		w.look()
	}
	w.look()
	if len(grants) != 1 || grants[0].Tenants[0] != "contoso-test" || len(grants[0].PartnerIDs) != 1 {
		t.Errorf("%+v", grants)
	}
}
