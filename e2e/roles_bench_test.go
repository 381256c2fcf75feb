package e2e

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
	"mcp-partner/simulator"
)

const (
	benchSubscriptions = 5
	// simulateRolesIn names the directory in which this test binary, started
	// anew, puts what leads to its simulator.
	simulateRolesIn = "E2E_SIMULATE_ROLES_IN"
)

// BenchmarkAuditRoles measures an audit with include_roles: five subscriptions
// in each tenant, 50 ms a request, 64 at a time, the simulator in its own process.
// The ratio is to the ideal, requests x latency / 64: eight requests a tenant cold
// (token, link, list of subscriptions, five lists of assignments), seven warm.
func BenchmarkAuditRoles(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			f := newBenchFleetOf(b, false, func(dir string) *exec.Cmd {
				simulate := exec.Command(os.Args[0], strconv.Itoa(size))
				simulate.Env = []string{simulateRolesIn + "=" + dir}
				return simulate
			})
			s := invocation{args: []string{"serve", "--state-dir", f.state, "--log-level", "error"}}.start(b)
			defer s.kill()
			s.greet(wiretest.Modern)
			ideal := (time.Duration(size) * benchLatency / benchParallel).Seconds()
			began, simBefore := time.Now(), cpuOf(f.simulator.Process.Pid)
			for b.Loop() {
				cold := s.timedAudit(b, wiretest.Object{"include_roles": true})
				warm := s.timedAudit(b, wiretest.Object{"include_roles": true})
				b.ReportMetric(cold.Seconds()/ideal/(3+benchSubscriptions), "cold-ratio")
				b.ReportMetric(warm.Seconds()/ideal/(2+benchSubscriptions), "warm-ratio")
				b.ReportMetric(cold.Seconds(), "cold-s")
				b.ReportMetric(warm.Seconds(), "warm-s")
			}
			cpus := float64(runtime.NumCPU()) * time.Since(began).Seconds()
			b.ReportMetric(100*cpuOf(s.command.Process.Pid).Seconds()/cpus, "audit-cpu-%")
			b.ReportMetric(100*(cpuOf(f.simulator.Process.Pid)-simBefore).Seconds()/cpus, "simulator-cpu-%")
			b.ReportMetric(statusKB(s.command.Process.Pid, "VmHWM:")/1024, "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// simulateRoles serves tenants with five subscriptions each until its input ends.
func simulateRoles(dir string, count int) error {
	sim, err := simulator.New(simulator.Config{Tenants: count, Latency: benchLatency, JournalLimit: 1000})
	if err != nil {
		return err
	}
	server, err := sim.Start(context.Background(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "tenants.csv"))
	if err != nil {
		return err
	}
	defer file.Close()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, server.CAPEM(), 0o600); err != nil {
		return err
	}
	rows := csv.NewWriter(file)
	_ = rows.Write([]string{"name", "tenant_id", "client_id", "credential", "cloud", "arm_endpoint", "arm_audience", "authority", "ca_file", "skip_instance_discovery"})
	for _, t := range sim.Tenants() {
		if err := sim.SetRoles(t.TenantID, fiveSubscriptions(t.TenantID)); err != nil {
			return err
		}
		_ = rows.Write([]string{t.Name, t.TenantID, sim.ClientID(), "simulator", "custom", server.URL(), sim.Audience(), server.Authority(), ca, "true"})
	}
	if rows.Flush(); rows.Error() != nil {
		return rows.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"client_secret": sim.ClientSecret()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// fiveSubscriptions hold a role each; IDs begin as the tenant's does.
func fiveSubscriptions(tenantID string) simulator.Roles {
	var roles simulator.Roles
	for i := range benchSubscriptions {
		id := fmt.Sprintf("%s-%012d", tenantID[:23], i)
		roles.Subscriptions = append(roles.Subscriptions, simulator.Subscription{ID: id, Name: "Subscription " + strconv.Itoa(i)})
		roles.Assignments = append(roles.Assignments, simulator.RoleAssignment{RoleID: simulator.RoleContributor, Scope: "/subscriptions/" + id, Created: time.Now()})
	}
	return roles
}
