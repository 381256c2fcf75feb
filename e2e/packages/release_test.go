package packages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
)

// root is the project's folder, seen from here.
const root = "../.."

// maxBinary is how large a stripped binary may be, in bytes.
const maxBinary = 40 << 20

func releaser(t *testing.T) config.Project {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	project, err := config.LoadReader(file) // unknown keys are errors
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestReleaserConfiguration(t *testing.T) {
	t.Parallel()
	project := releaser(t)
	if project.Version != 2 || len(project.Builds) != 1 || len(project.SBOMs) != 1 || project.Checksum.NameTemplate == "" {
		t.Fatalf("version %d, %d builds, %d SBOMs, checksums %q", project.Version, len(project.Builds), len(project.SBOMs), project.Checksum.NameTemplate)
	}
	build := project.Builds[0]
	for _, want := range []string{"linux", "darwin", "windows"} {
		if !slices.Contains(build.Goos, want) {
			t.Errorf("no build for %s", want)
		}
	}
	if !slices.Equal(build.Goarch, []string{"amd64", "arm64"}) || !slices.Contains(build.Env, "CGO_ENABLED=0") ||
		!slices.Contains(build.Flags, "-trimpath") || build.ModTimestamp == "" {
		t.Errorf("the build is not static or not reproducible: %+v", build)
	}
	if _, err := os.Stat(filepath.Join(root, build.Main)); err != nil {
		t.Error(err)
	}
}

// built builds a program as the configuration has it, from a source tree and
// with a build cache, in the place of goreleaser; the version is 1.2.3 if none is given.
func built(t *testing.T, source, cache, goos, goarch string, version ...string) string {
	t.Helper()
	build := releaser(t).Builds[0]
	output := filepath.Join(t.TempDir(), build.Binary)
	args := append([]string{"build", "-o", output}, build.Flags...)
	var ldflags bytes.Buffer
	fields := map[string]string{"Version": append(version, "1.2.3")[0], "FullCommit": strings.Repeat("0", 40), "CommitDate": "2026-12-01T00:00:00Z"}
	if err := template.Must(template.New("").Option("missingkey=error").Parse(strings.Join(build.Ldflags, " "))).Execute(&ldflags, fields); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", append(args, "-ldflags", ldflags.String(), build.Main)...)
	command.Dir = source
	command.Env = append(os.Environ(), append(build.Env, "GOOS="+goos, "GOARCH="+goarch, "GOWORK=off")...)
	if cache != "" {
		command.Env = append(command.Env, "GOCACHE="+cache)
	}
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return output
}

func digest(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// copied copies the files of the project that git knows, so that the second
// build lies elsewhere.
func copied(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestBuildIsReproducible builds linux/amd64 twice: here, and in a copy that
// lies elsewhere, with a build cache of its own.
func TestBuildIsReproducible(t *testing.T) {
	t.Parallel()
	first := built(t, root, "", "linux", "amd64")
	second := built(t, copied(t), t.TempDir(), "linux", "amd64")
	if a, b := digest(t, first), digest(t, second); a != b {
		t.Errorf("the two builds differ: %s and %s", a, b)
	}
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("linux/amd64: %.1f MB, SHA-256 %s", float64(info.Size())/(1<<20), digest(t, first))
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes; the aim is at most %d", info.Size(), maxBinary)
	}
	text, err := exec.CommandContext(t.Context(), first, "version", "--json").Output()
	for _, want := range []string{`"version":"1.2.3"`, `"commit":"0000`, `"date":"2026-12-01T00:00:00Z"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("version does not say %s: %q, %v", want, text, err)
		}
	}
}

// TestEveryTargetBuilds takes minutes with a cold cache, so only the long run
// asks for it; the ordinary one vets the code for these systems.
func TestEveryTargetBuilds(t *testing.T) {
	if os.Getenv("PACKAGES_ALL_TARGETS") == "" {
		t.Skip("PACKAGES_ALL_TARGETS is not set: bash .ci/run --full packages sets it")
	}
	build := releaser(t).Builds[0]
	for _, goos := range build.Goos {
		for _, goarch := range build.Goarch {
			info, err := os.Stat(built(t, root, "", goos, goarch))
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() > maxBinary {
				t.Errorf("%s/%s has %d bytes", goos, goarch, info.Size())
			}
		}
	}
}

// TestNoticesNameEveryModule compares the notices with what the linker says.
func TestNoticesNameEveryModule(t *testing.T) {
	t.Parallel()
	program := built(t, root, "", "linux", "amd64")
	notices := run(t, root, "deploy/notices", program)
	modules := 0
	for line := range strings.Lines(run(t, root, "go", "version", "-m", program)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "dep" {
			continue
		}
		modules++
		if !strings.Contains(notices, fmt.Sprintf("\n%s %s\n", fields[1], fields[2])) {
			t.Errorf("the notices do not name %s", fields[1])
		}
	}
	if modules < 20 {
		t.Errorf("only %d modules were found in the binary", modules)
	}
}

// TestBillOfMaterials runs the very command that goreleaser would.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	sbom := releaser(t).SBOMs[0]
	program, document := built(t, root, "", "linux", "amd64"), filepath.Join(t.TempDir(), "sbom.json")
	args := slices.Clone(sbom.Args)
	for i := range args {
		args[i] = strings.NewReplacer("$document", document, "$artifact", program).Replace(args[i])
	}
	run(t, t.TempDir(), sbom.Cmd, args...)
	text, err := os.ReadFile(document)
	if err != nil || !bytes.Contains(text, []byte(`"CycloneDX"`)) || !bytes.Contains(text, []byte("github.com/mark3labs/mcp-go")) {
		t.Errorf("the bill of materials is not one: %v, %d bytes", err, len(text))
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, text, stderr.String())
	}
	return string(text)
}
