//go:build !windows

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/simulator"
)

// The commands of the README for people without a client work exactly as
// printed, write nothing to Azure, and leave the report that they name.
func TestReadmeCommandsWithoutClient(t *testing.T) {
	t.Parallel()
	d := &workFolder{world: newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1}), t: t}
	writeFile(t, d.dir, "secret.txt", d.sim.ClientSecret()+"\n")
	check(t, os.Symlink(binary, filepath.Join(d.dir, "mcp-partner")))
	d.shell("mcp-partner vault init").must(t)
	d.shell(d.fill("mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin < secret.txt")).must(t)
	block := regexp.MustCompile("(?s)\n### Without a client\n\n```sh\n(.*?)\n```").FindStringSubmatch(document(t, readmePage))
	if block == nil {
		t.Fatal("the README has no commands for people without a client")
	}
	lines := strings.Split(block[1], "\n")
	if len(lines) < 5 {
		t.Errorf("only %d commands", len(lines))
	}
	for _, line := range lines {
		if o := d.shell(line).must(t); o.stdout == "" && !strings.Contains(line, "--output") {
			t.Errorf("%s printed nothing", line)
		}
	}
	if report, err := os.ReadFile(filepath.Join(d.dir, "report.html")); err != nil || !strings.Contains(string(report), "contoso") {
		t.Errorf("no report: %v", err)
	}
	if link, _ := d.sim.Link(d.sim.Tenants()[0].TenantID, ""); link.Version != 0 {
		t.Errorf("something was written: %+v", link)
	}
}
