package cmdutil

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
)

// AddSimulationFlags adds everything but the number of tenants, whose flag differs.
func AddSimulationFlags(w *app.SimulationOptions, flags *pflag.FlagSet) {
	flags.DurationVar(&w.Latency, "latency", 0, "`TIME` that each simulated answer takes, such as 50ms")
	flags.StringVar(&w.Throttle, "throttle", "", "simulated `LIMITS`: requests at once and refilled per second, such as reads=250/25,writes=200/10")
	flags.Var((*List)(&w.Faults), "fault", "`FAULT` of simulated answers as KIND=PERCENT, such as html=2; repeatable (mcp-partner simulate --help lists the kinds)")
	flags.Uint64Var(&w.Seed, "seed", 0, "seed `NUMBER` of everything that is generated")
}

// DefaultSimulated is how many tenants --simulate makes without a number.
const DefaultSimulated = 10

// SimulateFlags are --simulate[=N] and, for a server, how the simulation behaves.
type SimulateFlags struct {
	count simulateCount
	world app.SimulationOptions
}

func (o *SimulateFlags) Add(flags *pflag.FlagSet) {
	flag := flags.VarPF(&o.count, "simulate", "", "use a simulated Azure in this process, with `N` tenants (default 10)")
	flag.NoOptDefVal = strconv.Itoa(DefaultSimulated)
	config.Standing(flags, "simulate")
}

// AddWorld adds how the simulation behaves.
func (o *SimulateFlags) AddWorld(flags *pflag.FlagSet) { AddSimulationFlags(&o.world, flags) }

// Start starts the simulation on a loopback port, or returns nil where none is
// wanted.
func (o *SimulateFlags) Start(ctx context.Context) (*app.Simulation, error) {
	if o.count == 0 {
		return nil, nil
	}
	o.world.Tenants = int(o.count)
	return app.StartSimulation(ctx, o.world, "127.0.0.1:0")
}

// Check refuses simulation flags without --simulate: a user who types --fault
// does not expect to reach the real Azure.
func (o *SimulateFlags) Check(flags *pflag.FlagSet) error {
	if o.count == 0 && config.WasTyped(flags, "latency", "throttle", "fault", "seed") {
		return exit.Usage("add --simulate, or leave them out", "--latency, --throttle, --fault and --seed need a simulation")
	}
	return nil
}

// simulateCount is a number of tenants; 0 means no simulation.
type simulateCount int

// Set implements pflag.Value. It takes true and false too, which is what
// people put into environment variables.
func (c *simulateCount) Set(text string) error {
	switch text {
	case "true":
		*c = DefaultSimulated
		return nil
	case "false":
		*c = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		return errors.New("not a number of tenants")
	}
	*c = simulateCount(n)
	return nil
}

func (c *simulateCount) String() string { return strconv.Itoa(int(*c)) }

func (c *simulateCount) Type() string { return "int" }
