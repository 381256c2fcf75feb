package tools_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// fullDisk is a store that takes entries of all kinds but one.
type fullDisk struct {
	*ledgertest.Store
	refuses guard.EventKind
}

// Append implements guard.Store.
func (d *fullDisk) Append(ctx context.Context, events ...guard.Event) (int64, error) {
	if events[0].Kind == d.refuses {
		return 0, problems.New(problems.CodeVaultUnavailable, "The ledger cannot grow: the disk is full.")
	}
	return d.Store.Append(ctx, events...)
}

// Where the intent cannot be recorded nothing is written. Where the outcome
// cannot, the answer and the log say so, and the next start looks into it.
func TestWriteOnFullDiskIsReported(t *testing.T) {
	t.Parallel()
	for _, refuses := range []guard.EventKind{guard.KindIntent, guard.KindOutcome} {
		t.Run(string(refuses), func(t *testing.T) {
			t.Parallel()
			disk := &fullDisk{ledgertest.New(t, time.Now), refuses}
			h := build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) { unasked(o); o.Store = disk })
			var log bytes.Buffer
			h.service = tools.NewService(tools.Deps{Directory: h.directory, Clients: h, Guard: h.guard, Fleet: h.fleet,
				Search: search.New(schemas.Catalogue(), schemaOf), Logger: slog.New(slog.NewTextHandler(&log, nil)),
				Now: func() time.Time { return time.Now().Add(fleet.Settled) }})
			envelope := h.call(schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"1234567"}`)
			if refuses == guard.KindIntent {
				if envelope.Problem == nil || envelope.Problem.Code != problems.CodeVaultUnavailable || h.writes() != 0 {
					t.Errorf("%+v, %d writes", envelope, h.writes())
				}
				return
			}
			if envelope.Status != answers.StatusDone || !strings.Contains(envelope.Summary, "The ledger could not store the outcome of this write") || h.linked("contoso") != "1234567" {
				t.Errorf("%+v", envelope)
			}
			if !strings.Contains(log.String(), `level=ERROR msg="the outcome of a write could not be recorded"`) {
				t.Error("the log says:", log.String())
			}
			disk.refuses = ""
			if closed, err := h.service.Reconcile(t.Context()); closed != 1 || err != nil {
				t.Fatal(closed, err)
			}
			if events := disk.Events(); events[len(events)-1].Result != "applied" {
				t.Errorf("%+v", events[len(events)-1])
			}
		})
	}
}
