//go:build !windows

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

const jobsPage = "docs/jobs.md"

var (
	shellBlock = regexp.MustCompile("(?s)\n```sh\n(.*?)\n```")
	approvalID = regexp.MustCompile(`ap_[0-9a-f]{18}`)
	runID      = regexp.MustCompile(`run_[0-9a-f]{18}`)
)

// job is one line of the page: a command, what is said of how it ends, and what
// it has to print.
type job struct {
	line, how string
	prints    []string
}

// jobs are the page's commands in their order.
func jobs(t *testing.T) []job {
	t.Helper()
	var all []job
	for _, block := range shellBlock.FindAllStringSubmatch(document(t, jobsPage), -1) {
		for line := range strings.SplitSeq(block[1], "\n") {
			if text, ok := strings.CutPrefix(line, "#=> "); ok {
				all[len(all)-1].prints = append(all[len(all)-1].prints, text)
				continue
			}
			command, how, _ := strings.Cut(line, "  # ")
			all = append(all, job{line: strings.TrimSpace(command), how: how})
		}
	}
	return all
}

// workFolder is the folder that somebody works in, with what the page takes for given.
type workFolder struct {
	*world
	t *testing.T
	// said is what the command before said.
	said string
	// approval, run and linked are what was said last of each.
	approval, run, linked string
}

func newWorkFolder(t *testing.T) *workFolder {
	t.Helper()
	d := &workFolder{world: newWorld(t, simulator.Config{Tenants: 40}), t: t}
	rows := []string{"name,tenant_id,cloud,arm_endpoint,arm_audience,authority,ca_file,skip_instance_discovery"}
	for _, tenant := range d.sim.Tenants()[1:] { // the first comes in by a command of its own
		rows = append(rows, strings.Join([]string{tenant.Name, tenant.TenantID, "custom", d.url, d.sim.Audience(), d.url + "/", d.caFile, "true"}, ","))
	}
	writeFile(t, d.dir, "customers.csv", strings.Join(rows, "\n")+"\n")
	writeFile(t, d.dir, "secret.txt", d.sim.ClientSecret()+"\n")
	check(t, os.Symlink(binary, filepath.Join(d.dir, "mcp-partner")))
	return d
}

// fill puts in what a reader would put in.
func (d *workFolder) fill(line string) string {
	line = strings.Replace(line, "--tenant-id GUID", "--tenant-id "+d.sim.Tenants()[0].TenantID, 1)
	line = strings.Replace(line, "--client-id GUID", "--client-id "+d.sim.ClientID(), 1)
	if strings.Contains(line, "tenants add ") { // where the credential is sent is what differs from a real tenant
		cloud := announced{ARMEndpoint: d.url, Authority: d.url + "/", Audience: d.sim.Audience(), CAFile: d.caFile}.cloud()
		line = strings.Replace(line, "--secret-stdin", "--secret-stdin "+cloud, 1)
	}
	if strings.Contains(line, "new-secret.txt") {
		writeFile(d.t, d.dir, "new-secret.txt", d.sim.RenewSecret()+"\n")
	}
	line = strings.Replace(line, "approve ID", "approve "+d.approval, 1)
	line = strings.Replace(line, "--resume RUN", "--resume "+d.run, 1)
	return strings.Replace(line, "LINKED", d.linked, 1)
}

func (d *workFolder) shell(line string) invocation {
	sh, err := exec.LookPath("sh")
	check(d.t, err)
	return invocation{path: sh, args: []string{"-c", line}, dir: d.dir, env: []string{"HOME=" + d.dir, "PATH=" + d.dir}}
}

func (d *workFolder) do(j job) {
	d.t.Helper()
	line := d.fill(j.line)
	want := 0
	if text, ok := strings.CutPrefix(j.how, "ends with "); ok {
		code, err := strconv.Atoi(text)
		check(d.t, err)
		want = code
	}
	if j.how == "at a terminal" {
		d.said = d.atTerminal(line)
	} else if o := d.shell(line).run(d.t); o.code == want {
		d.said = o.both()
	} else {
		d.t.Fatalf("%s\nended with %d, want %d:\n%s", line, o.code, want, o.both())
	}
	for _, text := range j.prints {
		if !strings.Contains(d.said, text) {
			d.t.Errorf("%s\ndoes not print %q:\n%s", line, text, d.said)
		}
	}
	d.remember()
}

func (d *workFolder) atTerminal(line string) string {
	d.t.Helper()
	s := d.shell(line).atTerminal(d.t)
	if strings.Contains(line, "users add") {
		s.answer("New passphrase", passphrase)
		s.answer("Repeat it", passphrase)
	} else {
		s.answer("Passphrase of approver", passphrase)
	}
	return s.end()
}

func (d *workFolder) remember() {
	if id := approvalID.FindString(d.said); id != "" {
		d.approval = id
	}
	if id := runID.FindString(d.said); id != "" {
		d.run = id
	}
	var envelope answers.Envelope
	if json.Unmarshal([]byte(d.said), &envelope) == nil && envelope.Link != nil {
		d.linked = string(envelope.Link.PartnerID)
	}
}

// The page of jobs works line by line, and afterwards the world is as it says.
func TestJobsDocumentRunsLineByLine(t *testing.T) {
	t.Parallel()
	d, all := newWorkFolder(t), jobs(t)
	if len(all) < 35 {
		t.Fatalf("%s has %d commands", jobsPage, len(all))
	}
	for _, j := range all {
		d.do(j)
	}
	d.afterwards()
}

// afterwards compares what Azure has with what the page promises.
func (d *workFolder) afterwards() {
	d.t.Helper()
	moved := 0
	for i, tenant := range d.sim.Tenants() {
		link, _ := d.sim.Link(tenant.TenantID, "")
		switch {
		case i == 0 && link.State != simulator.StateDeleted:
			d.t.Errorf("the customer who left is linked still: %+v", link)
		case link.State == simulator.StateActive && link.PartnerID == "7654321":
			d.t.Errorf("%s was not moved", tenant.Name)
		case link.State == simulator.StateActive && link.PartnerID == "1234567":
			moved++
		}
	}
	if moved < 19 {
		d.t.Errorf("%d tenants have the new partner ID", moved)
	}
	if o := d.shell("mcp-partner call list_tenants --json").must(d.t); strings.Contains(o.stdout, `"contoso"`) {
		d.t.Errorf("contoso is still in the directory: %s", o.stdout)
	}
	d.shell("mcp-partner ledger verify").must(d.t)
}
