// Package app is the composition root. It builds the directory, the vault, the
// ledger, the clients, the guard and the services from Settings, and knows no
// command: the command line, servers and tests use it.
//
// simulation.go is the only production file that imports the simulator.
package app

import (
	"context"
	"crypto/ed25519"
	"io"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/memlimit"
	"mcp-partner/internal/pec"
	"mcp-partner/internal/phrase"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/search"
	"mcp-partner/server"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// App is the directory of tenants, the secrets, the record, and the clients
// that all lead to.
type App struct {
	settings  *Settings
	Directory *tenants.Directory
	Store     vault.Store
	Source    *signin.Source
	HTTP      *httpclient.Pool
	Clients   *clients
	// health is what became of sign-ins.
	Health *tenants.HealthFile
	// ledger, keyring and vault are of a real state directory, else nil.
	Ledger  *ledger.Ledger
	Keyring *vault.Keyring
	Vault   *vault.Vault
	// Files is where vault and directory are kept.
	Files  disk.Dir
	policy policyInForce
	// release ends the use of the state directory.
	release func()
	// temporary is the ledger where there is no other.
	temporary *temporaryLedger
	// unrecorded keeps sign-ins out of the ledger. It is set before the first one.
	Unrecorded bool
	// fleet runs what is about many tenants.
	Fleet *fleet.Fleet
	// services may have runs that go on behind a call.
	services []*tools.Service
	// roles is the list of eligible roles; nil stands for the built-in one.
	roles *pec.List
	// hook announces pending approvals, or is nil.
	hook *webhook
	// Simulated is the simulation that replaces Azure, or nil.
	Simulated *Simulation
}

// Open opens the state directory, or with a simulation a directory in memory.
// Neither the vault nor the ledger is opened yet: that happens at their first
// use.
func (s *Settings) Open(simulated *Simulation) (*App, error) {
	roles, err := s.eligibleRoles()
	if err != nil {
		return nil, err
	}
	var a *App
	if simulated != nil {
		a, err = s.openSimulated(simulated)
	} else {
		a, err = s.openStateDirectory()
	}
	if err != nil {
		return nil, err
	}
	a.roles = roles
	return a, nil
}

func (s *Settings) openStateDirectory() (*App, error) {
	if _, err := s.StateDirectory(); err != nil {
		return nil, err
	}
	memlimit.Follow(s.ServesHTTP)
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	release, err := s.use()
	if err != nil {
		return nil, err
	}
	a, err := s.openFiles(files)
	if err != nil {
		release()
		return nil, err
	}
	a.release = release
	return a, nil
}

func (s *Settings) openFiles(files disk.Dir) (*App, error) {
	directory, err := tenants.OpenDirectory(files)
	if err != nil {
		return nil, err
	}
	health, err := tenants.OpenHealth(files)
	if err != nil {
		return nil, err
	}
	pool := httpclient.NewPool(httpclient.Options{Getenv: s.Getenv})
	store, err := vault.OpenVault(files, s.Keys, pool)
	if err != nil {
		if problems.As(err).Code == problems.CodeInvalidArgument {
			err = exit.AsUsage(err) // flags that contradict each other
		}
		return nil, err
	}
	keyring := store.Keyring()
	var server *database.Server
	if s.shared != nil {
		server = s.shared.server
	}
	record := ledger.Open(ledger.Options{Dir: s.Disk(), Server: server, Keys: keyring, Program: BuildInfo().Version, Announces: s.Config.Webhook != nil, RolledBack: func(missing int64) {
		s.Log.Warn("the ledger is an older one, or in another database than before: its open approvals and tokens were voided", "count", missing)
	}})
	a := s.newApp(directory, store, health, pool)
	a.Keyring, a.Ledger, a.Vault, a.Files = keyring, record, store, files
	return a, nil
}

func (s *Settings) openSimulated(simulated *Simulation) (*App, error) {
	directory, store, err := simulated.memory()
	if err != nil {
		return nil, err
	}
	a := s.newApp(directory, store, tenants.MemoryHealth(), nil)
	if err := a.temporary.makeFolder(); err != nil {
		a.Close()
		return nil, err
	}
	a.Simulated = simulated
	return a, nil
}

// newApp adds what makes tokens and clients out of a directory and secrets. A
// pool that is nil is made.
func (s *Settings) newApp(directory *tenants.Directory, store vault.Store, health *tenants.HealthFile, pool *httpclient.Pool) *App {
	if pool == nil {
		pool = httpclient.NewPool(httpclient.Options{})
	}
	a := &App{settings: s, Files: s.Disk(), Health: health, Directory: directory, Store: store, HTTP: pool, temporary: newTemporaryLedger()}
	a.Source = signin.NewSource(signin.Options{Directory: directory, Store: store, HTTP: pool, Logger: s.Log, OnToken: a.noteSignIn})
	a.Clients = newClients(directory, a.Source, pool, s.Observer)
	return a
}

// Close ends what runs in the background.
func (a *App) Close() {
	for _, service := range a.services {
		service.Close()
	}
	if a.Fleet != nil {
		a.Fleet.Close()
	}
	a.Source.Close()
	a.Health.Close()
	a.hook.wait()
	if a.Ledger != nil {
		_ = a.Ledger.Close() // what could still be lost here are counts of tokens
	}
	_ = a.temporary.Close() // of what is in it, nothing is wanted any more
	if a.Vault != nil {
		a.Vault.Close()
	}
	if a.settings.shared != nil {
		_ = a.settings.shared.files.Close() // it holds nothing that is not written
	}
	if a.release != nil {
		a.release()
	}
	a.HTTP.CloseIdle()
	if a.Simulated != nil {
		a.Simulated.Close()
	}
}

// Guard makes the guard of this house. What decides are the rules of the
// configuration, or else the flags that are given.
func (a *App) Guard(o guard.Options) (*guard.Guard, error) {
	var err error
	o.Simulated, o.Rules, o.Account = a.Simulated != nil, a.settings.Config.Policy, Account()
	o.Store, o.Origin = a.GuardStore(), a.settings.PublicURL
	o.Sealer = a.sealer()
	if a.Ledger != nil && o.Announce == nil {
		if a.hook, err = a.settings.NewWebhook(); err != nil {
			return nil, err
		}
		o.Announce = a.hook.announce
	}
	decider, err := guard.New(o)
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	if a.hook != nil {
		a.hook.questions, a.hook.outbox = decider, a.Ledger
	}
	return decider, nil
}

// Service puts the call path of all tools together.
func (a *App) Service(decider *guard.Guard) *tools.Service {
	directory := Directory{a.Directory, a.Health, decider.Bounds().PartnerIDs}
	service := tools.NewService(tools.Deps{
		Directory: directory, Clients: a.Clients, Fleet: a.openFleet(directory), Guard: decider, Command: a.settings.Command(), PublicURL: a.settings.PublicURL, Console: a.settings.Console, View: view, Simulated: a.Simulated != nil,
		Search: search.New(schemas.Catalogue(), inputSchema), Logger: a.settings.Log,
		Observer: a.settings.Observer, Settled: a.settings.Settled, Unattended: a.Unattended,
		PECRoles: a.roles, Reconciliation: a.reconciliation,
	})
	a.services = append(a.services, service)
	return service
}

// Command is how a person runs this program for the same state directory and
// database.
func (s *Settings) Command() string {
	if s.givenStateDir == "" {
		return s.Program()
	}
	return s.Program() + " --state-dir " + phrase.ShellWord(s.StateDir)
}

// Program is how a person runs this program for the same database, which the config
// file need not name.
func (s *Settings) Program() string {
	if s.DatabaseURLFile == s.Config.Value("database-url-file") {
		return "mcp-partner"
	}
	return "mcp-partner --database-url-file " + phrase.ShellWord(s.DatabaseURLFile)
}

// SealKey is the key that seals questions in the client's session.
const SealKey = "seal"

// OwnKeys are the names and sizes of the program's own keys, which every server has
// alike.
func OwnKeys() map[string]int {
	return map[string]int{ledger.KeyMAC: 32, ledger.KeySigning: ed25519.SeedSize, SealKey: guard.KeySize}
}

// sealer takes its keys from the vault, at each use, so that a key that was
// rotated meanwhile counts. Without a vault they live as long as the process.
func (a *App) sealer() *guard.Sealer {
	if a.Keyring == nil {
		return guard.NewSealer()
	}
	return guard.LazySealer(func() ([][guard.KeySize]byte, error) {
		found, err := a.Keyring.Keys(context.Background(), SealKey, guard.KeySize)
		keys := make([][guard.KeySize]byte, len(found))
		for i := range found {
			keys[i] = [guard.KeySize]byte(found[i])
		}
		return keys, err
	})
}

func view(console string) string { return auditreport.View(BuildInfo().Version, console) }

func inputSchema(name string) map[string]any {
	op, ok := schemas.Lookup(name)
	if !ok {
		return nil
	}
	return schemas.Object(op.InputSchema())
}

// MCPServer is the MCP server around a service.
func (s *Settings) MCPServer(service *tools.Service) *server.Server {
	return server.New(server.Options{
		Name: "mcp-partner", Title: "Partner Admin Link", Version: BuildInfo().Version,
		Instructions: service.Instructions(), Registrar: service,
		Completions: service, Authorize: service.Authorize, Remote: s.Observer.Tracing.Remote, Logger: s.Log,
	})
}

// ServeStdio serves one client until its input ends or the context does.
func (s *Settings) ServeStdio(ctx context.Context, service *tools.Service, in io.Reader, out io.Writer) error {
	return s.MCPServer(service).ServeStdio(ctx, in, out, Trusted(tools.StdioCaller))
}
