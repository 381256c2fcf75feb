package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
)

// binary is the program under test. TestMain sets it once, before any test.
var binary string

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if dir := os.Getenv(simulateRolesIn); dir != "" && len(os.Args) > 1 {
		count, err := strconv.Atoi(os.Args[1])
		if err = cmp.Or(err, simulateRoles(dir, count)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	flag.Parse()
	if testing.Short() {
		fmt.Println("left out by -short:", testkit.Processes)
		return 0
	}
	dir, err := os.MkdirTemp("", "mcp-partner-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "mcp-partner")
	if err := build(binary, "mcp-partner/cmd/mcp-partner"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer pgtest.Stop()
	return m.Run()
}

// build builds a program of this module. Without the version stamp it does not
// need to understand the repository it lies in, and names the same version
// everywhere.
func build(to, path string) error {
	args := slices.Concat([]string{"build", "-buildvcs=false", "-o", to}, raceFlags(), []string{path})
	command := exec.Command("go", args...)
	if raceFlags() == nil {
		command.Env = append(os.Environ(), "CGO_ENABLED=0") // as releases are built
	}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return nil
}

// root is the top of the module.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}
