package packages

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// maker makes packages as the configuration has them, in the place of goreleaser.
type maker struct {
	t *testing.T
	// dist is what goreleaser's hooks leave.
	dist   string
	config config.NFPM
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	project := releaser(t)
	if len(project.NFPMs) != 1 {
		t.Fatalf("%d kinds of packages", len(project.NFPMs))
	}
	m := &maker{t: t, dist: t.TempDir(), config: project.NFPMs[0]}
	t.Setenv("SOURCE_DATE_EPOCH", "1796083200")
	run(t, root, "go", "run", "./deploy/manual", filepath.Join(m.dist, "manual"))
	program := built(t, root, "", "linux", "amd64")
	m.write("THIRD_PARTY_linux_amd64.txt", run(t, root, "deploy/notices", program))
	run(t, root, "deploy/sbom", program, filepath.Join(m.dist, "sbom_linux_amd64.cdx.json"))
	return m
}

func (m *maker) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dist, name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// filled fills a template of the configuration in.
func (m *maker) filled(text string) string {
	m.t.Helper()
	var out bytes.Buffer
	fields := map[string]any{"Os": "linux", "Arch": "amd64", "CommitDate": "2026-12-01T00:00:00Z", "Env": map[string]string{"MAINTAINER": "Jane Doe <jane@example.com>"}}
	if err := template.Must(template.New("").Option("missingkey=error").Parse(text)).Execute(&out, fields); err != nil {
		m.t.Fatal(err)
	}
	return out.String()
}

// in is where a file of the project or of dist lies.
func (m *maker) in(name string) string {
	if strings.HasPrefix(name, "manual/") {
		return filepath.Join(m.dist, name)
	}
	if left, made := strings.CutPrefix(name, "dist/"); made {
		return filepath.Join(m.dist, left)
	}
	return filepath.Join(root, name)
}

// make makes a package of a version.
func (m *maker) make(format, version string) string {
	m.t.Helper()
	c := m.config
	at, err := time.Parse(time.RFC3339, m.filled(c.MTime))
	if err != nil {
		m.t.Fatal(err)
	}
	info := &nfpm.Info{
		Name: c.PackageName, Arch: "amd64", Platform: "linux", Version: version, Section: c.Section, Maintainer: m.filled(c.Maintainer),
		Description: c.Description, License: c.License, MTime: at,
		Overridables: nfpm.Overridables{
			Depends: c.Overrides[format].Dependencies, Recommends: c.Recommends,
			Scripts: nfpm.Scripts{PostInstall: m.in(c.Scripts.PostInstall), PreRemove: m.in(c.Scripts.PreRemove), PostRemove: m.in(c.Scripts.PostRemove)},
		},
	}
	project := releaser(m.t)
	program := built(m.t, root, "", "linux", "amd64", version)
	info.Contents = append(info.Contents, &files.Content{Source: program, Destination: c.Bindir + "/" + project.Builds[0].Binary})
	for _, content := range c.Contents {
		info.Contents = append(info.Contents, &files.Content{Source: m.in(m.filled(content.Source)), Destination: content.Destination, Type: content.Type})
	}
	info = nfpm.WithDefaults(info)
	var packager nfpm.Packager = deb.Default
	if format == "rpm" {
		packager = rpm.DefaultRPM
	}
	info.Target = filepath.Join(m.dist, packager.ConventionalFileName(info))
	out, err := os.Create(info.Target)
	if err != nil {
		m.t.Fatal(err)
	}
	defer out.Close()
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		m.t.Fatal(err)
	}
	if err := packager.Package(info, out); err != nil {
		m.t.Fatal(err)
	}
	return info.Target
}

// debian is a Debian in a folder.
type debian struct {
	t    *testing.T
	root string
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	bootstrap := os.Getenv("PACKAGES_MMDEBSTRAP")
	if bootstrap == "" {
		t.Skip("PACKAGES_MMDEBSTRAP is not set: bash .ci/run packages installs mmdebstrap and sets it")
	}
	d := &debian{t, filepath.Join(t.TempDir(), "debian")}
	made := d.asRoot(bootstrap, "--variant=essential", "--include=passwd", "--skip=check/qemu", os.Getenv("PACKAGES_SUITE"), d.root, os.Getenv("PACKAGES_SOURCES"))
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { _ = d.asRoot("rm", "-rf", "--one-file-system", d.root).Run() })
	return d
}

// asRoot is a command that only root may run.
func (d *debian) asRoot(args ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return exec.CommandContext(context.WithoutCancel(d.t.Context()), args[0], args[1:]...)
}

// as runs a command in it, without what this process has in its environment, and returns
// what it printed.
func (d *debian) as(name string, args ...string) (string, error) {
	out, err := d.asRoot(append([]string{"chroot", d.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", name}, args...)...).CombinedOutput()
	return string(out), err
}

func (d *debian) must(name string, args ...string) string {
	d.t.Helper()
	out, err := d.as(name, args...)
	if err != nil {
		d.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// install copies a package in and installs it.
func (d *debian) install(deb string) string {
	d.t.Helper()
	if out, err := d.asRoot("cp", deb, filepath.Join(d.root, "new.deb")).CombinedOutput(); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	return d.must("dpkg", "-i", "/new.deb")
}

func (d *debian) has(path string) bool {
	return d.asRoot("test", "-e", filepath.Join(d.root, path)).Run() == nil
}

const (
	keptConfig = "/etc/mcp-partner/config.yaml"
	keptState  = "/var/lib/mcp-partner/ledger.db"
)

// TestPackageLivesInDebian installs, upgrades, removes and purges the deb: an edited
// config file outlives the upgrade, and the vault and the ledger everything.
func TestPackageLivesInDebian(t *testing.T) {
	d, m := newDebian(t), newMaker(t)
	d.install(m.make("deb", "1.2.3"))
	if out := d.must("mcp-partner", "version"); !strings.Contains(out, "mcp-partner 1.2.3") {
		t.Errorf("it says %q", out)
	}
	if out := d.must("stat", "-c", "%U:%G %a", "/var/lib/mcp-partner"); strings.TrimSpace(out) != "mcp-partner:mcp-partner 700" {
		t.Errorf("the state directory is %s", out)
	}
	for _, path := range []string{
		keptConfig, "/usr/lib/systemd/system/mcp-partner.service", "/usr/lib/systemd/system/mcp-partner-audit.timer", "/usr/share/man/man1/mcp-partner-audit.1.gz",
		"/usr/share/bash-completion/completions/mcp-partner", "/usr/share/doc/mcp-partner/copyright", "/usr/share/doc/mcp-partner/THIRD_PARTY_NOTICES.txt", "/usr/share/doc/mcp-partner/sbom.cdx.json",
	} {
		if !d.has(path) {
			t.Errorf("%s is not installed", path)
		}
	}
	// What the units call runs as their user, with the config file of the package.
	audit := "mcp-partner audit --simulate --config " + keptConfig + " --state-dir /var/lib/mcp-partner/try --format jsonl"
	if out := d.must("su", "-s", "/bin/sh", "mcp-partner", "-c", audit); strings.Count(out, `"state"`) < 10 {
		t.Errorf("an audit: %s", out)
	}
	d.must("sh", "-c", "echo '# edited' >>"+keptConfig+"; touch "+keptState)
	d.install(m.make("deb", "1.2.4"))
	if out := d.must("sh", "-c", "mcp-partner version; cat "+keptConfig); !strings.Contains(out, "1.2.4") || !strings.Contains(out, "# edited") || !d.has(keptState) {
		t.Errorf("after the upgrade: %s", out)
	}
	d.must("dpkg", "-r", "mcp-partner")
	if d.has("/usr/bin/mcp-partner") || !d.has(keptConfig) || !d.has(keptState) {
		t.Error("a removal leaves the program, or takes more than it")
	}
	if out := d.must("dpkg", "-P", "mcp-partner"); d.has(keptConfig) || !d.has(keptState) || !strings.Contains(out, "was kept") {
		t.Errorf("after the purge: %s", out)
	}
	d.must("getent", "passwd", "mcp-partner") // owns what was kept
}

// TestPackageForRedHat asks rpm what is in the package.
func TestPackageForRedHat(t *testing.T) {
	tool := os.Getenv("PACKAGES_RPM")
	if tool == "" {
		t.Skip("PACKAGES_RPM is not set: bash .ci/run packages installs rpm and sets it")
	}
	m := newMaker(t)
	file := m.make("rpm", "1.2.3")
	for question, want := range map[string][]string{
		"-qpl":       {"/usr/bin/mcp-partner\n", keptConfig, "/usr/lib/systemd/system/mcp-partner.service", "/usr/share/man/man1/mcp-partner.1.gz", "sbom.cdx.json"},
		"-qpc":       {keptConfig},
		"-qpi":       {"Version     : 1.2.3", "License     : Apache-2.0", "jane@example.com"},
		"-qpR":       {"shadow-utils"},
		"--scripts":  {"useradd --system", "systemctl disable --now", "was kept"},
		"--checksig": {"digests OK"},
	} {
		args := []string{question, file}
		if question == "--scripts" {
			args = []string{"-qp", question, file}
		}
		said := run(t, t.TempDir(), tool, args...)
		for _, text := range want {
			if !strings.Contains(said, text) {
				t.Errorf("rpm %s does not say %q:\n%s", question, text, said)
			}
		}
	}
}
