package cli

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/pflag"

	"mcp-partner/internal/config"
)

// defaultSimulated is how many tenants --simulate makes without a number.
const defaultSimulated = 10

// simulateOptions are --simulate[=N] and how the simulation behaves.
type simulateOptions struct {
	count simulateCount
	world worldOptions
}

func (o *simulateOptions) add(flags *pflag.FlagSet) {
	flag := flags.VarPF(&o.count, "simulate", "", "use a simulated Azure in this process, with `N` tenants (default 10)")
	flag.NoOptDefVal = strconv.Itoa(defaultSimulated)
	config.Standing(flags, "simulate")
	o.world.add(flags)
}

// start starts the simulation on a loopback port, or returns nil where none is
// wanted.
func (o *simulateOptions) start(ctx context.Context) (*simulation, error) {
	if o.count == 0 {
		return nil, nil
	}
	o.world.tenants = int(o.count)
	return startSimulation(ctx, o.world, "127.0.0.1:0")
}

// check refuses what was typed about a simulation where there is none: whoever
// types --fault does not expect to meet the real Azure.
func (o *simulateOptions) check(flags *pflag.FlagSet) error {
	if o.count == 0 && config.WasTyped(flags, "latency", "throttle", "fault", "seed") {
		return usage("add --simulate, or leave them out", "--latency, --throttle, --fault and --seed are for a simulation, and there is none")
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
		*c = defaultSimulated
		return nil
	case "false":
		*c = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		return errors.New("no number of tenants")
	}
	*c = simulateCount(n)
	return nil
}

// String implements pflag.Value.
func (c *simulateCount) String() string { return strconv.Itoa(int(*c)) }

// Type implements pflag.Value.
func (c *simulateCount) Type() string { return "int" }
