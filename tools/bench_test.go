package tools_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// BenchmarkReadWithLedger measures a check_partner_link over TLS to a simulated
// Azure with the record in a file, and without one, in turn and in the same run:
// only the ratio of the medians means something. ns/op is both. An Azure that answers at once
// shows what the record costs; one that takes as long as a quick real one,
// what a caller notices.
func BenchmarkReadWithLedger(b *testing.B) {
	for _, latency := range []time.Duration{0, 10 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) { readWithLedger(b, latency) })
	}
}

func readWithLedger(b *testing.B, latency time.Duration) {
	h := build(b, simulator.Config{Tenants: 1, Latency: latency, Throttle: simulator.Throttle{
		Reads: simulator.Bucket{Size: 1_000_000, PerSecond: 1_000_000}, Writes: simulator.Bucket{Size: 1_000_000, PerSecond: 1_000_000},
	}}, nil)
	clients := &oneClient{fixture: h}
	record := ledgerWithVault(b)
	if _, err := record.Append(b.Context(), guard.Event{Time: time.Now(), Kind: guard.KindRefusal}); err != nil {
		b.Fatal(err)
	}
	durable, bare := h.over(clients, record), h.over(clients, nothing{})
	read(b, durable) // signs in
	read(b, bare)
	var withLedger, without []time.Duration
	for n := 0; b.Loop(); n++ {
		if n%2 == 0 { // neither is always the one that comes after the other
			withLedger = append(withLedger, read(b, durable))
			without = append(without, read(b, bare))
		} else {
			without = append(without, read(b, bare))
			withLedger = append(withLedger, read(b, durable))
		}
	}
	b.ReportMetric(median(withLedger), "ledger-ns")
	b.ReportMetric(median(without), "bare-ns")
	b.ReportMetric(median(withLedger)/median(without), "ratio")
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds())
}

// ledgerWithVault is a ledger whose keys are in a vault, as in production.
func ledgerWithVault(b *testing.B) *ledger.Ledger {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "state")
	if err := vault.Init(b.Context(), disk.New(dir), vault.InitOptions{}); err != nil {
		b.Fatal(err)
	}
	store, err := vault.OpenVault(disk.New(dir), vault.KeySource{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	record := ledger.Open(ledger.Options{Dir: disk.New(dir), Keys: store.Keyring()})
	b.Cleanup(func() { _ = record.Close() })
	return record
}

// nothing is what a read needs of a store, and remembers nothing.
type nothing struct{ guard.Store }

// Freeze implements guard.Store.
func (nothing) Freeze(context.Context) (guard.Freeze, error) { return guard.Freeze{}, nil }

// over is the call path over a store.
func (h *fixture) over(clients tools.Clients, store guard.Store) *tools.Service {
	h.t.Helper()
	decider, err := guard.New(guard.Options{AllowWrites: true, Store: store})
	if err != nil {
		h.t.Fatal(err)
	}
	return tools.NewService(tools.Deps{Directory: h.directory, Clients: clients, Guard: decider, Search: search.New(schemas.Catalogue(), schemaOf)})
}

func read(b *testing.B, service *tools.Service) time.Duration {
	began := time.Now()
	result := service.Call(b.Context(), tools.Call{
		Tool: schemas.ToolCheckPartnerLink, Arguments: []byte(`{"tenant":"contoso"}`), Principal: trusted("bench"), Confirmer: tools.NoConfirmer{},
	})
	took := time.Since(began)
	if result.Envelope.Status != answers.StatusDone {
		b.Fatalf("%+v", result.Envelope)
	}
	return took
}

// oneClient keeps the client of the tenant, as the pool of the program does, so
// that it signs in once.
type oneClient struct {
	*fixture
	azure tools.Azure
}

// Client implements tools.Clients.
func (o *oneClient) Client(ctx context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	var err error
	if o.azure == nil {
		o.azure, err = o.fixture.Client(ctx, tenant, credential)
	}
	return o.azure, err
}
