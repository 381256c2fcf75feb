package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mcp-partner/internal/cli/contractverify"
	"mcp-partner/internal/cli/term"
	"mcp-partner/simulator"
)

// TestMain makes this test binary run as mcp-partner itself when a script or
// another test starts it under that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcp-partner": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(Run(ctx, term.SystemStreams(), os.Args[1:]))
	}, "contract-verify": func() {
		os.Exit(Run(context.Background(), term.SystemStreams(), append([]string{"contract-verify"}, os.Args[1:]...), contractverify.NewCmd))
	}})
}

// noRest keeps a program with the race detector from sleeping for a second at
// its end.
const noRest = "atexit_sleep_ms=0"

// worldKey is where a script finds its simulated Azure.
const worldKey = "world"

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"json": jsonCommand, "sim": simCommand, "mode": modeCommand, "kind": kindCommand,
			"run": runCommand, "input": inputCommand,
		},
	})
}

// setupScript gives each script an empty state directory, and a simulated Azure of
// its own, which it reaches over TLS as it would reach the real one.
func setupScript(env *testscript.Env) error {
	world, err := openWorld(context.Background(), 4)
	if err != nil {
		return err
	}
	env.Defer(world.Close)
	env.Values[worldKey] = world
	env.Values[inputKey] = &script{}
	for name, content := range map[string]string{"ca.pem": string(world.Server.CAPEM()), "secret.txt": world.Sim.ClientSecret() + "\n"} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	program, err := exec.LookPath("mcp-partner")
	if err != nil {
		return err
	}
	contoso, _ := world.Sim.Tenant("contoso")
	fabrikam, _ := world.Sim.Tenant("fabrikam")
	cloud := world.Cloud()
	env.Setenv("MCP_PARTNER_STATE_DIR", filepath.Join(env.WorkDir, "state"))
	env.Setenv("PROGRAM", program)
	env.Setenv("GORACE", noRest)
	env.Setenv("ESC", "\x1b[2Jx.csv")
	env.Setenv("CLIENT_ID", world.Sim.ClientID())
	env.Setenv("CONTOSO", contoso.TenantID)
	env.Setenv("CONTOSO_OBJECT", contoso.ObjectID)
	env.Setenv("FABRIKAM", fabrikam.TenantID)
	env.Setenv("ARM", cloud.ARMEndpoint)
	env.Setenv("AUTHORITY", cloud.Authority)
	env.Setenv("AUDIENCE", cloud.ARMAudience)
	env.Setenv("SECRET", world.Sim.ClientSecret())
	return nil
}

// simCommand changes the simulated Azure of a script:
//
//	sim link TENANT ID | sim unlink TENANT | sim fault TENANT KIND [PATH] | sim renew
//	sim lighthouse MANAGING CUSTOMER CATEGORY
//	sim role TENANT ROLE-GUID | sim usage FILE TENANT=COST=PERCENT...
func simCommand(ts *testscript.TestScript, neg bool, args []string) {
	world, _ := ts.Value(worldKey).(*azure)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sim link TENANT ID | unlink TENANT | fault TENANT KIND | renew")
	}
	var err error
	switch args[0] {
	case "link":
		err = world.Sim.SetLink(args[1], args[2])
	case "unlink":
		err = world.Sim.ClearLink(args[1])
	case "fault":
		world.Sim.Inject(simulator.Rule{TenantID: args[1], Kind: simulator.FaultKind(args[2]), Path: simulator.Op(append(args, "")[3])})
	case "lighthouse":
		err = world.Sim.Delegate(args[1], args[2], args[3])
	case "role":
		scope := "/subscriptions/" + subscriptionOf(args[1])
		err = world.Sim.SetRoles(args[1], simulator.Roles{
			Subscriptions: []simulator.Subscription{{ID: subscriptionOf(args[1]), Name: "Shop of " + args[1]}},
			Assignments:   []simulator.RoleAssignment{{RoleID: args[2], Scope: scope}},
		})
	case "usage":
		err = os.WriteFile(ts.MkAbs(args[1]), usageFile(world, args[2:]), 0o600)
	case "renew":
		err = os.WriteFile(ts.MkAbs("secret.txt"), []byte(world.Sim.RenewSecret()+"\n"), 0o600)
	default:
		ts.Fatalf("sim has no command %q", args[0])
	}
	ts.Check(err)
}

// subscriptionOf is the ID of a tenant's only subscription.
func subscriptionOf(tenant string) string {
	return fmt.Sprintf("10000000-0000-4000-8000-%012d", len(tenant))
}

// usageFile is a daily rated usage with a line for each TENANT=COST=PERCENT.
func usageFile(world *azure, lines []string) []byte {
	var b strings.Builder
	b.WriteString("CustomerId,CustomerName,EntitlementId,EntitlementDescription,BillingPreTaxTotal,BillingCurrency,PartnerEarnedCreditPercentage\n")
	for _, line := range lines {
		part := strings.Split(line, "=")
		id := "99999999-0000-4000-8000-000000000001"
		if tenant, ok := world.Sim.Tenant(part[0]); ok {
			id = tenant.TenantID
		}
		fmt.Fprintf(&b, "%s,=%s Ltd,%s,Shop,%s,EUR,%s\n", id, part[0], subscriptionOf(part[0]), part[1], part[2])
	}
	return []byte(b.String())
}

// modeCommand checks the permission bits of a file: mode 600 FILE.
func modeCommand(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// jsonCommand looks into one JSON document, which stdout or a file must be as a
// whole: json stdout link.state linked. With a negation the path must not lead
// to that value; without a value the path must exist. What is there is $JSON
// afterwards.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: [!] json FILE PATH [VALUE]")
	}
	var document any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	got, found := dig(document, args[1])
	text := fmt.Sprint(got)
	holds := found
	if len(args) == 3 {
		holds = found && text == args[2]
	}
	if holds == neg {
		ts.Fatalf("%s: %s is %q (found: %v)", args[0], args[1], text, found)
	}
	ts.Setenv("JSON", text)
}

// dig follows a path such as checks.0.status; "len" is the length of a list.
func dig(value any, path string) (any, bool) {
	for _, step := range strings.Split(path, ".") {
		switch at := value.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			if step == "len" {
				value = len(at)
				continue
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil, false
			}
			value = at[i]
		default:
			return nil, false
		}
	}
	return value, true
}
