package cli

import (
	"github.com/spf13/pflag"

	"mcp-partner/fleet"
	"mcp-partner/internal/config"
)

// fleetOptions bound what runs over many tenants.
type fleetOptions struct{ concurrency int }

const mostConcurrency = 512

func (o *fleetOptions) add(flags *pflag.FlagSet) {
	flags.IntVar(&o.concurrency, "concurrency", 64, "`N` tenants that an audit asks at the same time")
	config.Standing(flags, "concurrency")
}

// apply makes the limits of this command those of the house that it opens.
func (o *fleetOptions) apply(f *Factory) error {
	if o.concurrency < 1 || o.concurrency > mostConcurrency {
		return usage("give a number from 1 to 512", "--concurrency is out of range")
	}
	f.Limits = fleet.Limits{Concurrency: o.concurrency}
	return nil
}

// standingTenants takes the operator's bound on tenants from the variable or the
// config file, for a command whose own --tenants is a selection: the flag of
// that name is no bound there, and the bound must not get lost.
func (f *Factory) standingTenants() (list, error) {
	var bound guardOptions
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	bound.addBounds(flags)
	if err := config.Apply(flags, f.IO.Env, f.Config); err != nil {
		return nil, usage("correct the setting", "%s", err)
	}
	return bound.tenants, nil
}
