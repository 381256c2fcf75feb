package deptest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "mcp-partner"

// room says which other rooms of the house a package may import. A package
// that is not listed may not exist.
var rooms = map[string]struct {
	mayImport []string
	reason    string
}{
	"internal/xslices":    {nil, "loops that package slices lacks, for everybody"},
	"internal/memlimit":   {nil, "how much memory to keep follows from what is configured"},
	"internal/strictjson": {nil, "one reader of JSON whose members have one meaning"},
	"schemas":             {[]string{"internal/strictjson", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/xslices"}, "what an agent sees must not depend on how it is made"},
	"schemas/problems":    {[]string{"internal/untrusted"}, "why a call did not go well is said in the same words everywhere, also by rooms that know no tool"},
	"schemas/answers":     {[]string{"schemas/problems", "schemas/partnerid"}, "what an agent is told must not depend on how it is found out"},
	"schemas/partnerid":   {[]string{"internal/naming", "internal/phrase", "internal/untrusted", "internal/xslices", "schemas/problems"}, "a partner ID is read in one way, from whomever it comes"},
	"internal/untrusted":  {nil, "text from elsewhere is cleaned in one way"},
	"guard/runs":          {[]string{"access"}, "where a run and its tenants stand is told apart from who may move them on"},
	"docs":                {nil, "documents that the program shows"},
	"search":              {[]string{"schemas", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/xslices"}, "a pure function over the catalogue"},
	"access":              {[]string{"internal/naming", "internal/xslices", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted"}, "what may happen follows from grant, bounds and policy alone, and remembers nothing"},
	"guard":               {[]string{"access", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/phrase", "guard/runs", "internal/xslices"}, "a decision must not depend on MCP, Azure or a database"},
	"fleet":               {[]string{"access", "internal/naming", "internal/pec", "internal/xslices", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/phrase", "guard", "guard/runs", "armclient"}, "many tenants at once; directory, clients and store reach it through its own interfaces"},
	"internal/database":   {[]string{"internal/disk", "schemas/problems"}, "connections, migrations and what an error means; what the tables hold is not its concern"},
	"jobs/schedules":      {[]string{"access", "fleet", "guard", "internal/untrusted", "schemas/problems"}, "what is due and on whose behalf is told apart from the queue, so that the ledger can keep it"},
	"jobs":                {[]string{"fleet", "guard", "jobs/schedules", "schemas/problems"}, "what happens by itself; audits, deliveries and heads reach it through its own interfaces"},
	"ledger":              {[]string{"access", "jobs/schedules", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/phrase", "guard", "guard/runs", "fleet", "internal/csvcell", "internal/database", "internal/disk", "internal/flight", "internal/xslices"}, "guard and fleet for the types of their stores; keys reach it through an interface of its own, not from the vault"},
	"simulator":           {[]string{"internal/xslices"}, "a stand-in that shared code with the program would confirm the program's mistakes"},
	"internal/csvfile":    {nil, "files that people bring are read in one way, whatever they are for"},
	"internal/csvcell":    {nil, "one rule for cells that a spreadsheet could run"},
	"internal/harden":     {nil, "what the process keeps to itself is the same whatever it does"},
	"internal/httpclient": {nil, "one tuned HTTP client for Entra ID and ARM"},
	"tenants":             {[]string{"schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/disk", "internal/naming", "internal/xslices"}, "the directory of customers knows no secret and no network"},
	"vault":               {[]string{"schemas/problems", "internal/untrusted", "internal/httpclient", "internal/disk", "internal/phrase", "internal/naming", "internal/sealed", "internal/flight", "internal/azurecli", "vault/internal/hashicorp", "vault/internal/azurekeyvault", "vault/internal/keychain", "vault/internal/backend", "internal/xslices"}, "credentials go in and never come out; who they are for and what they open is not its concern"},
	"signin":              {[]string{"schemas/problems", "internal/untrusted", "vault", "tenants", "internal/httpclient", "internal/disk", "internal/naming", "internal/sealed", "internal/flight", "internal/azurecli", "internal/xslices"}, "turns a tenant and a stored credential into a token, and hands out no more than that"},
	"internal/disk":       {[]string{"internal/phrase", "schemas/problems"}, "files replaced as a whole, locked and checked, whatever is in them"},
	"internal/naming":     {[]string{"schemas/problems", "internal/untrusted"}, "tenants and secrets compare names alike and know nothing of each other"},
	"internal/sealed":     {[]string{"schemas/problems"}, "a secret that nothing prints; who imports this can read one"},
	"internal/flight":     {[]string{"schemas/problems"}, "one piece of work for many that wait for it"},
	"internal/azurecli":   {[]string{"schemas/problems", "internal/untrusted", "internal/naming"}, "the az command, for tokens of tenants and for Key Vault"},
	"internal/roomtest":   {[]string{"schemas/problems", "internal/sealed"}, "what tests of tenants, vault and signin share"},
	"armclient":           {[]string{"schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/naming", "guard", "internal/httpclient", "internal/strictjson", "internal/pec", "internal/xslices"}, "the guard for Permit alone, internal/httpclient for why a host gave no answer, internal/pec for what is read of roles"},
	"internal/usage":      {[]string{"schemas/answers", "internal/untrusted", "internal/naming", "internal/csvfile"}, "billed usage beside what is known of links and roles, without asking anybody"},
	"internal/pec":        {[]string{"schemas/problems", "schemas/answers", "internal/untrusted", "internal/phrase", "internal/naming", "internal/xslices"}, "the verdict on roles is a pure function of what was read"},
	"tools":               {[]string{"access", "internal/naming", "internal/pec", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "internal/phrase", "search", "guard", "armclient", "fleet", "docs", "internal/xslices"}, "directory and vault reach it through its own interfaces"},
	"server":              {[]string{"access", "schemas", "schemas/problems", "internal/untrusted", "guard", "tools", "internal/disk", "internal/strictjson", "internal/xslices"}, "transports know the call path, not what is behind it"},
	"auth":                {[]string{"access", "internal/naming", "schemas", "schemas/problems", "schemas/partnerid", "internal/untrusted", "internal/strictjson", "internal/httpclient", "internal/xslices"}, "what a token says becomes a principal of the guard, and nothing else of it goes further"},
	"console":             {[]string{"access", "auth/oauth", "auth/users", "fleet", "guard", "guard/runs", "internal/auditreport", "internal/page", "internal/phrase", "internal/untrusted", "internal/xslices", "ledger", "schemas", "schemas/answers", "schemas/partnerid", "schemas/problems", "tools"}, "what people see and do in a browser, through the calls that agents have too; ledger for the types of its record"},
	"auth/users":          {[]string{"access", "auth", "guard", "internal/httpclient", "internal/naming", "internal/page", "internal/untrusted", "internal/xslices", "schemas/problems"}, "who is in front of the browser; what they may do is said by the mapping or the user"},
	"auth/oauth":          {[]string{"access", "auth/users", "guard", "internal/flight", "internal/httpclient", "internal/page", "internal/phrase", "internal/strictjson", "internal/untrusted", "internal/xslices", "schemas/problems"}, "clients get tokens of the ledger for what a person allowed"},
	"internal/page":       {nil, "pages for people, made of nodes; what they say is not its concern"},
	"internal/issuertest": {[]string{"internal/testkit"}, "an issuer for tests that shared code with the verifier would confirm its mistakes"},
	"internal/ledgertest": {[]string{"guard", "internal/disk", "ledger"}, "opens the real ledger for the tests of other rooms"},
	"internal/testkit":    {nil, "what tests of every package share"},
	"internal/wiretest":   {nil, "drives the production handler without an SDK type"},
	"internal/contract":   {[]string{"access", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "guard", "armclient", "internal/pec"}, "compares exchanges with the document; its writes take permits like any"},
	"internal/telemetry":  {[]string{"schemas", "schemas/problems", "schemas/answers", "internal/disk", "internal/httpclient"}, "log, figures and traces are told of calls through hooks; schemas for the closed lists of tools and codes"},
	"internal/config":     {[]string{"access", "internal/httpclient", "schemas", "schemas/problems", "schemas/answers", "internal/untrusted", "auth", "internal/disk", "internal/xslices"}, "flags, environment and file become values; the guard for the rules of the policy, auth for those of callers"},
	"internal/clientfile": {[]string{"internal/disk", "internal/xslices"}, "files of other programs, changed without knowing anything of this one"},

	"internal/app":           {[]string{"internal/auditreport", "access", "armclient", "auth", "auth/oauth", "auth/users", "console", "fleet", "guard", "jobs", "jobs/schedules", "internal/config", "internal/credential", "internal/database", "internal/disk", "internal/exit", "internal/harden", "internal/httpclient", "internal/memlimit", "internal/naming", "internal/page", "internal/pec", "internal/phrase", "internal/sharedfiles", "internal/telemetry", "ledger", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "search", "server", "signin", "simulator", "tenants", "tools", "vault", "internal/xslices"}, "the composition root: the one place that builds everything, without a command line"},
	"internal/exit":          {[]string{"internal/disk", "internal/phrase", "schemas/problems", "schemas/answers"}, "how a command ends is said where it fails, also below the command line"},
	"internal/phrase":        {nil, "counts and shell words read alike everywhere"},
	"internal/credential":    {[]string{"internal/exit", "tenants", "vault"}, "what a person says of a credential means the same in flags and in files"},
	"internal/tenantimport":  {[]string{"internal/app", "internal/azurecli", "internal/credential", "internal/csvcell", "internal/csvfile", "internal/exit", "internal/httpclient", "internal/naming", "internal/phrase", "schemas", "schemas/problems", "internal/untrusted", "signin", "tenants", "internal/xslices"}, "rows become a plan for the directory; commands show it and ask"},
	"internal/cli/term":      {[]string{"internal/config", "internal/exit", "internal/flight", "internal/xslices"}, "the terminal knows no tenant and no tool"},
	"internal/cli/cmdutil":   {[]string{"access", "fleet", "guard", "internal/app", "internal/cli/term", "internal/config", "internal/credential", "internal/disk", "internal/exit", "internal/phrase", "internal/telemetry", "schemas", "schemas/problems", "internal/untrusted", "signin", "tenants", "tools", "vault", "internal/xslices"}, "what commands share"},
	"internal/cli/render":    {[]string{"internal/auditreport", "internal/cli/term", "internal/phrase", "schemas", "schemas/problems", "schemas/answers", "internal/xslices"}, "answers of tools look alike in every command"},
	"internal/cli/tenants":   {[]string{"fleet", "guard", "internal/app", "internal/azurecli", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/credential", "internal/exit", "internal/naming", "internal/phrase", "internal/tenantimport", "schemas", "schemas/answers", "schemas/partnerid", "tenants", "internal/xslices"}, "the commands of the directory"},
	"internal/cli/vault":     {[]string{"guard", "internal/app", "internal/azurecli", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/credential", "internal/exit", "internal/naming", "internal/phrase", "schemas/problems", "internal/untrusted", "signin", "tenants", "vault"}, "the commands of the vault"},
	"internal/cli/approvals": {[]string{"access", "fleet", "guard", "internal/app", "internal/cli/cmdutil", "internal/cli/render", "internal/cli/term", "internal/cli/users", "internal/config", "internal/exit", "internal/phrase", "schemas", "schemas/problems", "schemas/answers", "schemas/partnerid", "internal/untrusted", "tools", "internal/xslices"}, "the commands for deciding"},
	"internal/cli/users":     {[]string{"access", "guard", "internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/exit", "internal/phrase", "internal/untrusted", "internal/xslices"}, "the commands of people; an approver consents"},
	"internal/cli/token":     {[]string{"access", "internal/naming", "guard", "internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/cli/users", "internal/config", "internal/exit", "internal/phrase", "internal/untrusted", "internal/xslices"}, "the commands of invocation tokens; an approver consents"},
	"internal/cli/migrate":   {[]string{"internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/exit", "internal/phrase"}, "the command that moves a state directory"},
	"internal/cli/ledger":    {[]string{"guard", "internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/cli/users", "internal/config", "internal/exit", "internal/phrase", "internal/xslices", "ledger", "schemas"}, "the commands of the record; an approver answers for a gap"},
	"internal/cli/pec":       {[]string{"internal/app", "internal/auditreport", "internal/cli/cmdutil", "internal/cli/render", "internal/cli/term", "internal/exit", "internal/phrase", "internal/usage", "schemas", "schemas/answers", "tools"}, "the commands about partner earned credit"},
	"internal/cli/audit":     {[]string{"fleet", "internal/app", "internal/auditreport", "internal/cli/cmdutil", "internal/cli/render", "internal/cli/term", "internal/config", "internal/csvfile", "internal/exit", "internal/phrase", "schemas", "schemas/answers", "schemas/partnerid", "internal/untrusted", "tools"}, "the commands that read many tenants"},
	"internal/cli/schedules": {[]string{"access", "fleet", "guard", "internal/app", "internal/cli/audit", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/exit", "internal/phrase", "internal/untrusted", "internal/xslices", "jobs/schedules", "schemas"}, "the commands of schedules; what they audit is said as for audit"},
	"internal/cli/runs":      {[]string{"access", "guard", "internal/app", "internal/cli/approvals", "internal/cli/cmdutil", "internal/cli/render", "internal/cli/term", "internal/config", "internal/csvcell", "internal/exit", "internal/phrase", "internal/xslices", "schemas", "schemas/answers", "tools"}, "the commands that write to many tenants; an approver may approve at once"},
	"internal/cli/serve":     {[]string{"access", "auth", "guard", "internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/disk", "internal/exit", "internal/httpclient", "internal/phrase", "schemas/problems", "server", "tools"}, "the commands of a server"},
	"internal/cli/call":      {[]string{"internal/app", "internal/cli/approvals", "internal/cli/cmdutil", "internal/cli/render", "internal/config", "internal/exit", "schemas", "schemas/answers", "internal/untrusted", "tools", "internal/xslices"}, "the commands of tools; an approver may approve at once"},
	"internal/cli/clients":   {[]string{"access", "auth/oauth", "internal/app", "internal/cli/cmdutil", "internal/cli/term", "internal/config", "internal/exit", "internal/phrase", "internal/untrusted", "internal/xslices"}, "the commands of the MCP clients that people sign in with"},
	"internal/cli/client":    {[]string{"internal/httpclient", "internal/cli/cmdutil", "internal/cli/serve", "internal/cli/term", "internal/clientfile", "internal/config", "internal/exit", "schemas", "internal/untrusted", "vault", "internal/xslices"}, "the commands of clients; the arguments of serve are checked as serve reads them"},
	"internal/cli/doctor":    {[]string{"access", "internal/httpclient", "guard", "guard/runs", "internal/app", "internal/cli/client", "internal/cli/cmdutil", "internal/cli/ledger", "internal/cli/render", "internal/cli/term", "internal/clientfile", "internal/config", "internal/disk", "internal/exit", "internal/naming", "internal/phrase", "schemas", "schemas/problems", "schemas/answers", "internal/untrusted", "signin", "tenants", "internal/xslices"}, "checks of everything; clients and record are read as their commands read them"},
	"internal/cli/setup":     {[]string{"internal/app", "internal/azurecli", "internal/cli/client", "internal/cli/cmdutil", "internal/cli/doctor", "internal/cli/tenants", "internal/cli/term", "internal/cli/vault", "internal/clientfile", "internal/config", "internal/credential", "internal/exit", "schemas/problems", "schemas/partnerid", "internal/naming", "signin", "tenants", "vault"}, "a first run goes through the commands of others, and asks again for a secret that a sign-in refused"},
	"internal/cli/sim":       {[]string{"access", "internal/httpclient", "guard", "internal/app", "internal/cli/cmdutil", "internal/cli/render", "internal/cli/term", "internal/config", "internal/exit", "internal/tenantimport", "schemas", "schemas/answers", "schemas/problems", "server", "tenants", "tools"}, "the commands of the simulated Azure; a demonstration serves the console"},
	"internal/cli":           {[]string{"internal/app", "internal/cli/approvals", "internal/cli/audit", "internal/cli/call", "internal/cli/client", "internal/cli/clients", "internal/cli/cmdutil", "internal/cli/doctor", "internal/cli/ledger", "internal/cli/migrate", "internal/cli/runs", "internal/cli/schedules", "internal/cli/serve", "internal/cli/setup", "internal/cli/sim", "internal/cli/tenants", "internal/cli/term", "internal/cli/token", "internal/cli/users", "internal/cli/vault", "internal/clientfile", "internal/config", "internal/exit", "internal/cli/pec"}, "the list of commands"},

	"cmd/contract-verify": {[]string{"internal/cli", "internal/cli/contractverify", "internal/cli/term", "internal/harden"}, "for who develops: the second JSON Schema library stays out of mcp-partner"},
	"cmd/mcp-partner":     {[]string{"internal/cli", "internal/cli/term", "internal/harden", "internal/memlimit"}, "signals, memory and exit code"},
	"deploy/manual":       {[]string{"internal/cli", "internal/cli/cmdutil", "internal/cli/term"}, "manual pages and completions for packages; not part of the program"},
	"search/train":        {[]string{"schemas", "schemas/answers", "search"}, "makes the model of the intent search; not part of the program"},
	"internal/deptest":    {nil, "this plan"},

	"internal/auditreport": {[]string{"internal/csvcell", "internal/page", "schemas/problems", "schemas/answers", "internal/phrase", "fleet", "internal/usage", "internal/xslices"}, "what an audit found, written for people and programs"},

	"internal/cli/contractverify": {[]string{"access", "guard", "internal/app", "internal/cli/call", "internal/cli/cmdutil", "internal/cli/render", "internal/config", "internal/contract", "internal/exit", "schemas", "schemas/problems", "schemas/partnerid", "tools"}, "the command of cmd/contract-verify"},

	"internal/sharedfiles": {[]string{"internal/database", "internal/disk", "internal/flight", "schemas/problems"}, "files of a state directory as rows; what is in them is not its concern"},

	"internal/pgtest":              {nil, "starts a real PostgreSQL for tests and talks to it without the package under test"},
	"internal/keyvaulttest":        {nil, "stands in for Azure Key Vault in tests"},
	"internal/vaulttest":           {[]string{"internal/testkit"}, "starts a real HashiCorp Vault for tests and talks to it without the client under test"},
	"vault/internal/backend":       {[]string{"schemas/problems", "internal/httpclient", "internal/untrusted"}, "what the vault needs of a store elsewhere; only the vault sees the bytes of a secret"},
	"vault/internal/hashicorp":     {[]string{"schemas/problems", "internal/httpclient", "vault/internal/backend"}, "the client of HashiCorp Vault stays behind the vault; the HTTP client to check a CA"},
	"vault/internal/azurekeyvault": {[]string{"schemas/problems", "internal/naming", "internal/httpclient", "vault/internal/backend"}, "the client of Azure Key Vault stays behind the vault; the HTTP client to check a CA"},
	"vault/internal/keychain":      {[]string{"schemas/problems", "internal/flight", "vault/internal/backend"}, "the keychain of the system stays behind the vault"},
}

// only says which packages alone may import a module.
var only = []struct {
	path    string
	rooms   []string
	because string
}{
	{
		path: "github.com/mark3labs/mcp-go", rooms: []string{"server", "tools", "internal/cli/sim"},
		because: "one place knows the MCP library, so that it can be replaced without touching an intent",
	},
	{
		path: "github.com/Azure/azure-sdk-for-go/sdk/azidentity", rooms: []string{"signin", "vault/internal/azurekeyvault"},
		because: "credentials are made where secrets are",
	},
	{path: "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager", rooms: []string{"armclient"}, because: "requests to ARM pass one gate"},
	{
		path: "mcp-partner/internal/sealed", rooms: []string{"vault", "signin", "internal/roomtest"},
		because: "secrets are read where they are kept and where they are presented",
	},
	{path: "github.com/hashicorp/vault/api", rooms: []string{"vault/internal/hashicorp"}, because: "one place knows the client of the vault server"},
	{
		path: "github.com/Azure/azure-sdk-for-go/sdk/security/keyvault", rooms: []string{"vault/internal/azurekeyvault"},
		because: "one place knows the client of Key Vault",
	},
	{path: "github.com/zalando/go-keyring", rooms: []string{"vault/internal/keychain"}, because: "one place knows the keychain of the system"},
	{path: "github.com/AzureAD/microsoft-authentication-library-for-go", rooms: []string{"signin"}, because: "people sign in where tokens are made"},
	{path: "software.sslmate.com/src/go-pkcs12", rooms: []string{"signin"}, because: "certificates are read where they are presented"},
	{path: "github.com/youmark/pkcs8", rooms: []string{"signin"}, because: "certificates are read where they are presented"},
	{path: "filippo.io/age", rooms: []string{"vault"}, because: "secrets are decrypted in one place"},
	{path: "modernc.org/sqlite", rooms: []string{"internal/database"}, because: "one place knows the database, so that another can take its place"},
	{
		path: "github.com/jackc/pgx", rooms: []string{"internal/database", "internal/pgtest", "jobs"},
		because: "one place knows the database, and its tests something else than that; the queue takes its connections",
	},
	{path: "github.com/riverqueue/river", rooms: []string{"jobs"}, because: "one place knows the queue, and what its traps are"},
	{path: "github.com/robfig/cron", rooms: []string{"jobs/schedules"}, because: "one place reads cron expressions"},
	{path: "github.com/pressly/goose", rooms: []string{"internal/database"}, because: "the tables are changed where their database is known"},
	{path: "github.com/tailscale/hujson", rooms: []string{"internal/clientfile"}, because: "one place edits files with comments in them"},
	{path: "github.com/prometheus/client_golang", rooms: []string{"internal/telemetry"}, because: "figures are counted in one place"},
	{path: "go.opentelemetry.io", rooms: []string{"internal/telemetry"}, because: "traces are made in one place"},
	{path: "maragu.dev/gomponents", rooms: []string{"internal/page"}, because: "one builder of pages escapes whatever is shown"},
	{path: "github.com/go-webauthn/webauthn", rooms: []string{"auth/users", "guard"}, because: "people sign in with passkeys in one place, and what one signed of a decision is checked in the other"},
	{path: "github.com/go-jose/go-jose", rooms: []string{"auth"}, because: "tokens are verified in one place"},
	{
		path:    "github.com/spf13/cobra",
		rooms:   []string{"internal/cli/cmdutil", "internal/cli/tenants", "internal/cli/vault", "internal/cli/approvals", "internal/cli/users", "internal/cli/token", "internal/cli/ledger", "internal/cli/migrate", "internal/cli/audit", "internal/cli/schedules", "internal/cli/pec", "internal/cli/runs", "internal/cli/serve", "internal/cli/call", "internal/cli/client", "internal/cli/clients", "internal/cli/doctor", "internal/cli/setup", "internal/cli/sim", "internal/cli/contractverify", "internal/cli", "deploy/manual"},
		because: "the command line is a shell around the rooms",
	},
}

// production files that import the simulator.
const simulatorFile = "internal/app/simulation.go"

type listed struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", module+"/...")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if name == "e2e" || strings.HasPrefix(name, "e2e/") {
			continue // tests of the whole, which may see everything
		}
		room, ok := rooms[name]
		if !ok {
			t.Errorf("package %s has no place in the plan: give it a row in deptest", name)
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module+"/"); ours && !slices.Contains(room.mayImport, other) {
				t.Errorf("%s imports %s, and may not: %s", name, other, room.reason)
			}
			for _, rule := range only {
				if (imported == rule.path || strings.HasPrefix(imported, rule.path+"/")) && !slices.Contains(rule.rooms, name) {
					t.Errorf("%s imports %s, and may not: %s", name, imported, rule.because)
				}
			}
		}
	}
}

func TestOneFileImportsTheSimulator(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", module+"/internal/app").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := filesImporting(t, strings.TrimSpace(string(out)), module+"/simulator")
	if len(found) > 1 || len(found) == 1 && "internal/app/"+found[0] != simulatorFile {
		t.Errorf("%v import the simulator; only %s may, so that what production code uses of it is seen at a glance", found, simulatorFile)
	}
}
