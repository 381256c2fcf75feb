// Package sim has the commands around the simulated Azure: simulate and demo.
package sim

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

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/tenants"
)

type simulateCommand struct {
	listen         string
	world          app.SimulationOptions
	caOut          string
	tenantsOut     string
	force          bool
	untilStdinEnds bool
}

// NewCmdSimulate builds `simulate`.
func NewCmdSimulate(deps *cmdutil.Deps) *cobra.Command {
	options := &simulateCommand{}
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Run a simulated Entra ID and Azure Resource Manager",
		Long:  "Kinds of --fault, in % of requests:\n" + faultHelp(false) + "\nKinds of --fault, in % of tenants:\n" + faultHelp(true),
		RunE:  func(command *cobra.Command, _ []string) error { return runSimulate(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.listen, "listen", "127.0.0.1:8443", "loopback `HOST:PORT` to listen on; port 0 takes a free one")
	flags.IntVar(&options.world.Tenants, "tenants", cmdutil.DefaultSimulated, "`N` tenants")
	cmdutil.AddSimulationFlags(&options.world, flags)
	flags.StringVar(&options.caOut, "ca-out", "", "write the certificate authority to this `FILE` (default: a temporary one)")
	flags.StringVar(&options.tenantsOut, "tenants-out", "", "write the tenants to this CSV `FILE`, for tenants import")
	flags.BoolVar(&options.force, "force", false, "let --ca-out and --tenants-out replace existing files")
	flags.BoolVar(&options.untilStdinEnds, "until-stdin-closes", false, "end when standard input ends")
	return command
}

func faultHelp(perTenant bool) string {
	var b strings.Builder
	for _, kind := range app.FaultKinds() {
		if kind.PerTenant == perTenant {
			fmt.Fprintf(&b, "  %-19s  %s\n", kind.Kind, kind.Summary)
		}
	}
	return b.String()
}

func runSimulate(ctx context.Context, deps *cmdutil.Deps, o *simulateCommand) error {
	if o.world.Tenants < 1 {
		return exit.Usage("mcp-partner simulate --help", "--tenants must be at least 1")
	}
	if err := o.checkListen(); err != nil {
		return err
	}
	s, err := app.StartSimulation(ctx, o.world, o.listen)
	if err != nil {
		return err
	}
	defer s.Close()
	caFile, remove, err := writeCA(s.Cloud().CAPEM, o.caOut, o.force)
	if err != nil {
		return err
	}
	defer remove()
	announced := s.Announce(caFile)
	if o.tenantsOut != "" {
		if err := writeTenants(s, announced, o); err != nil {
			return err
		}
	}
	if err := deps.IO.PrintLine(announced); err != nil {
		return err
	}
	if o.untilStdinEnds {
		return untilEnd(ctx, deps.IO.In)
	}
	<-ctx.Done()
	return nil
}

// checkListen refuses an address that other machines reach: the simulation
// prints its own secret and lets everybody in.
func (o *simulateCommand) checkListen() error {
	host, _, err := net.SplitHostPort(o.listen)
	switch {
	case err != nil:
		return exit.Usage("give --listen 127.0.0.1:8443", "--listen is not HOST:PORT")
	case !httpclient.IsLoopback(host):
		return exit.Usage("give --listen 127.0.0.1:PORT", "--listen %s is not a loopback address, and anyone who reaches a simulation can use it", o.listen)
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
		return file, func() {}, errors.Join(err, cmdutil.WriteOutput(path, []byte(pem), force))
	}
	dir, err := os.MkdirTemp("", "mcp-partner-simulate-")
	if err != nil {
		return "", nil, exit.Failed("give --ca-out FILE", "no temporary directory can be made")
	}
	file, remove = filepath.Join(dir, "ca.pem"), func() { _ = os.RemoveAll(dir) }
	if os.WriteFile(file, []byte(pem), 0o600) != nil {
		remove()
		return "", nil, cmdutil.Unwritable(file)
	}
	return file, remove, nil
}

func writeTenants(s *app.Simulation, announced app.Announcement, o *simulateCommand) error {
	rows := make([]tenantimport.Row, 0, len(s.Entries()))
	for _, entry := range s.Entries() {
		row := tenantimport.RowOf(entry, tenants.CredentialConfig{Kind: tenants.KindClientSecret, ClientID: announced.ClientID})
		row["ca_file"] = announced.CAFile
		rows = append(rows, row)
	}
	text, err := tenantimport.EncodeColumns(tenantimport.Columns(), rows)
	if err != nil {
		return err
	}
	return cmdutil.WriteOutput(o.tenantsOut, text, o.force)
}
