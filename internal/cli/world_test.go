package cli

import (
	"context"
	"testing"

	"mcp-partner/simulator"
	"mcp-partner/tenants"
)

// azure is a simulated Azure that listens.
type azure struct {
	Sim    *simulator.Simulator
	Server *simulator.Server
}

// startWorldOf starts a simulated Azure that ends with the test.
func startWorldOf(t testing.TB, count int) *azure {
	t.Helper()
	w, err := openWorld(context.WithoutCancel(t.Context()), count)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// openWorld starts a simulated Azure that ends with Close.
func openWorld(ctx context.Context, count int) (*azure, error) {
	sim, err := simulator.New(simulator.Config{Tenants: count, JournalLimit: 1000})
	if err != nil {
		return nil, err
	}
	server, err := sim.Start(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &azure{sim, server}, nil
}

// Close ends the listener.
func (w *azure) Close() { _ = w.Server.Close() }

// Cloud is where it is reached.
func (w *azure) Cloud() tenants.Cloud {
	return tenants.Cloud{
		Name: tenants.CloudCustom, Authority: w.Server.Authority(), ARMEndpoint: w.Server.URL(),
		ARMAudience: w.Sim.Audience(), CAPEM: string(w.Server.CAPEM()), SkipInstanceDiscovery: true,
	}
}
