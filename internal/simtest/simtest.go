// Package simtest starts the simulated Azure for tests, behind TLS on a
// loopback port.
package simtest

import (
	"context"
	"testing"

	"mcp-partner/simulator"
	"mcp-partner/tenants"
)

// World is a simulated Azure that listens.
type World struct {
	Sim    *simulator.Simulator
	Server *simulator.Server
}

// Start starts a World that ends with the test.
func Start(t testing.TB, tenants int) *World {
	t.Helper()
	w, err := Open(context.WithoutCancel(t.Context()), tenants)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// Open starts a World that ends with Close.
func Open(ctx context.Context, tenants int) (*World, error) {
	sim, err := simulator.New(simulator.Config{Tenants: tenants, JournalLimit: 1000})
	if err != nil {
		return nil, err
	}
	server, err := sim.Start(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &World{sim, server}, nil
}

// Close ends the listener.
func (w *World) Close() { _ = w.Server.Close() }

// Cloud is where the World is reached.
func (w *World) Cloud() tenants.Cloud {
	return tenants.Cloud{
		Name: tenants.CloudCustom, Authority: w.Server.Authority(), ARMEndpoint: w.Server.URL(),
		ARMAudience: w.Sim.Audience(), CAPEM: string(w.Server.CAPEM()), SkipInstanceDiscovery: true,
	}
}
