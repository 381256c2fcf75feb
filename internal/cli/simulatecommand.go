package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/config"
	"mcp-partner/tenants"
)

type simulateCommand struct {
	listen         string
	world          worldOptions
	caOut          string
	tenantsOut     string
	force          bool
	untilStdinEnds bool
	allowRemote    bool
}

// newSimulate builds `simulate`.
func newSimulate(f *Factory) *cobra.Command {
	options := &simulateCommand{}
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Run a simulated Entra ID and Azure Resource Manager",
		Long: `Run a stand-in for Entra ID and Azure Resource Manager over TLS, to build agents
without touching a customer. When it is ready it prints one line of JSON with the
addresses, the client ID and secret, and the first 100 tenants. It ends at SIGINT
or SIGTERM, or with --until-stdin-closes at the end of its input. Whoever reaches it
can use it, so it listens on loopback addresses alone unless --allow-remote is given.

Kinds of --fault:
` + faultHelp(),
		Example: `  mcp-partner simulate --listen 127.0.0.1:8443 --tenants 50
  mcp-partner simulate --latency 50ms --throttle reads=250/25,writes=200/10
  mcp-partner simulate --fault throttle_burst=10 --fault html=2 --seed 7
  mcp-partner simulate --ca-out ca.pem --tenants-out tenants.csv`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runSimulate(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.listen, "listen", "127.0.0.1:8443", "`HOST:PORT` to listen on; port 0 takes a free one")
	flags.IntVar(&options.world.tenants, "tenants", defaultSimulated, "`N` tenants")
	flags.BoolVar(&options.allowRemote, "allow-remote", false, "let --listen name an address that other machines reach; anybody there can use the simulation")
	config.Typed(flags, "allow-remote")
	options.world.add(flags)
	flags.StringVar(&options.caOut, "ca-out", "", "write the certificate authority to this `FILE` (default: a temporary one)")
	flags.StringVar(&options.tenantsOut, "tenants-out", "", "write the tenants to this CSV `FILE`, as tenants import takes it")
	flags.BoolVar(&options.force, "force", false, "let --ca-out and --tenants-out replace files")
	flags.BoolVar(&options.untilStdinEnds, "until-stdin-closes", false, "end when standard input ends")
	return command
}

func faultHelp() string {
	var b strings.Builder
	for _, kind := range faultKinds() {
		share := "of requests"
		if kind.perTenant {
			share = "of tenants"
		}
		fmt.Fprintf(&b, "  %-20s %s (%% %s)\n", kind.name, kind.summary, share)
	}
	return strings.TrimRight(b.String(), "\n")
}

func runSimulate(ctx context.Context, f *Factory, o *simulateCommand) error {
	if o.world.tenants < 1 {
		return usage("mcp-partner simulate --help", "--tenants has to be at least 1")
	}
	if err := o.checkListen(); err != nil {
		return err
	}
	s, err := startSimulation(ctx, o.world, o.listen)
	if err != nil {
		return err
	}
	defer s.Close()
	caFile, remove, err := writeCA(s.cloud().CAPEM, o.caOut, o.force)
	if err != nil {
		return err
	}
	defer remove()
	announced := s.announce(caFile)
	if o.tenantsOut != "" {
		if err := writeTenants(s, announced, o); err != nil {
			return err
		}
	}
	if err := f.IO.printLine(announced); err != nil {
		return err
	}
	if o.untilStdinEnds {
		return untilEnd(ctx, f.IO.In)
	}
	<-ctx.Done()
	return nil
}

// checkListen refuses an address that other machines reach: the simulation
// prints its own secret and lets everybody in. All addresses at once are
// refused too, because no URL is true for all of them.
func (o *simulateCommand) checkListen() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return usage("give --listen 127.0.0.1:8443", "--listen is not HOST:PORT")
	}
	ip := net.ParseIP(host)
	switch {
	case isLoopback(host):
		return nil
	case !o.allowRemote:
		return usage("give --listen 127.0.0.1:PORT; if others are to use the simulation, add --allow-remote",
			"--listen %s is not a loopback address, and whoever reaches a simulation can use it", o.listen)
	case host == "" || ip != nil && ip.IsUnspecified():
		return usage("give the address at which others reach it", "--listen %s means every address, and the certificate and the URL are for one", o.listen)
	}
	return nil
}

// untilEnd waits for the end of the input or of the context.
func untilEnd(ctx context.Context, in io.Reader) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in) // an input that breaks has ended too
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// writeCA puts the authority where it was asked for, or into a private
// directory that remove takes away.
func writeCA(pem, path string, force bool) (file string, remove func(), err error) {
	if path != "" {
		file, err = filepath.Abs(path)
		return file, func() {}, errors.Join(err, writeOutput(path, []byte(pem), force))
	}
	dir, err := os.MkdirTemp("", "mcp-partner-simulate-")
	if err != nil {
		return "", nil, failed("give --ca-out FILE", "no temporary directory can be made")
	}
	file, remove = filepath.Join(dir, "ca.pem"), func() { _ = os.RemoveAll(dir) }
	if os.WriteFile(file, []byte(pem), 0o600) != nil {
		remove()
		return "", nil, unwritable(file)
	}
	return file, remove, nil
}

func writeTenants(s *simulation, announced announcement, o *simulateCommand) error {
	rows := make([]tenantRow, 0, len(s.entries()))
	for _, entry := range s.entries() {
		row := rowOf(entry, tenants.CredentialConfig{Kind: tenants.KindClientSecret, ClientID: announced.ClientID})
		row["ca_file"] = announced.CAFile
		rows = append(rows, row)
	}
	text, err := encodeCSV(rows)
	if err != nil {
		return err
	}
	return writeOutput(o.tenantsOut, text, o.force)
}
