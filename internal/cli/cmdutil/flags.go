package cmdutil

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// FleetFlags bound what runs over many tenants.
type FleetFlags struct {
	Concurrency int
	added       bool
}

const mostConcurrency = 512

func (o *FleetFlags) Add(flags *pflag.FlagSet) {
	o.added = true
	flags.IntVar(&o.Concurrency, "concurrency", 64, "`N` tenants that an audit reads at the same time")
	config.Standing(flags, "concurrency")
}

// Apply makes the limits of this command those of the house that it opens.
func (o *FleetFlags) Apply(deps *Deps) error {
	if !o.added {
		return nil
	}
	if o.Concurrency < 1 || o.Concurrency > mostConcurrency {
		return exit.Usage("give a number from 1 to 512", "--concurrency is out of range")
	}
	deps.Limits = fleet.Limits{Concurrency: o.Concurrency}
	return nil
}

// StandingTenants is the bound on tenants of StandingBounds.
func (d *Deps) StandingTenants() (List, error) {
	bound, err := d.StandingBounds()
	return bound.Tenants, err
}

// StandingBounds takes the operator's bounds on tenants and partner IDs from the
// variables or the config file, for a command whose own --tenants is a
// selection: the flag of that name is no bound there, and the bound must not get
// lost.
func (d *Deps) StandingBounds() (GuardFlags, error) {
	var bound GuardFlags
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	bound.AddBounds(flags)
	if err := config.Apply(flags, d.IO.Env, d.Config); err != nil {
		return GuardFlags{}, exit.Usage("correct the setting", "%s", err)
	}
	return GuardFlags{Tenants: bound.Tenants, partnerIDs: bound.partnerIDs}, nil
}

// AddAsking adds who is asked and which IDs may be written; the tenants of the
// command are a selection, and their bound comes from elsewhere.
func (g *GuardFlags) AddAsking(flags *pflag.FlagSet) {
	flags.BoolVar(&g.AllowWrites, "allow-writes", false, "let this command write, after a person confirms")
	g.addApproval(flags)
	flags.Var(&g.partnerIDs, "partner-ids", "allow writes of these partner `IDS` only, separated by commas")
	config.Standing(flags, "allow-writes", "approval", "partner-ids")
}

// AllowResume allows, where nothing else is said, what was approved to be written:
// to resume is to want that. It covers no run of which nobody was asked.
func (g *GuardFlags) AllowResume() {
	if !g.AllowWrites {
		g.AllowWrites, g.approval = true, access.ApprovalRequester
	}
}

// AddKeyFlags adds the flags that say where the key of the vault is.
func (d *Deps) AddKeyFlags(flags *pflag.FlagSet) {
	flags.StringVar(&d.Keys.PassphraseFile, "passphrase-file", "", "`FILE` with the passphrase of the vault")
	flags.StringVar(&d.Keys.IdentityFile, "identity-file", "", "`FILE` with the age identity that opens the vault")
	config.Standing(flags, "passphrase-file", "identity-file")
}

// KeyArguments are the flags that a server needs to open the same vault.
func (d *Deps) KeyArguments() ([]string, error) {
	var all []string
	for _, flag := range [][2]string{{"--passphrase-file", d.Keys.PassphraseFile}, {"--identity-file", d.Keys.IdentityFile}} {
		if flag[1] == "" {
			continue
		}
		path, err := filepath.Abs(flag[1])
		if err != nil {
			return nil, exit.Failed("give "+flag[0]+" with an absolute path", "the working directory is not known")
		}
		all = append(all, flag[0], path)
	}
	return all, nil
}

// Prompter asks for the passphrase of the vault where a write would be
// confirmed: at the terminal, and only where somebody seems to sit there. The
// terminal that a client's user works at is not written to.
type Prompter struct {
	Streams *term.Streams
	// typed keeps what was typed for each prompt, so that one command asks once,
	// whatever needs the vault. It is nil in a server, where a mistyped
	// passphrase must not stay.
	typed *sync.Map
}

type typedAnswer struct {
	typed string
	err   error
}

// Passphrase implements vault.Prompter.
func (p Prompter) Passphrase(ctx context.Context, prompt string) ([]byte, error) {
	if p.typed == nil {
		return p.ask(ctx, prompt)
	}
	if before, ok := p.typed.Load(prompt); ok {
		answer := before.(typedAnswer)
		return []byte(answer.typed), answer.err
	}
	typed, err := p.ask(ctx, prompt)
	if ctx.Err() == nil {
		p.typed.Store(prompt, typedAnswer{string(typed), err})
	}
	return typed, err
}

func (p Prompter) ask(ctx context.Context, prompt string) ([]byte, error) {
	typed, err := p.Streams.Prompt(ctx, prompt, true)
	switch {
	case errors.Is(err, term.ErrNoTerminal):
		return nil, problems.New(problems.CodeVaultLocked, "The vault needs a passphrase, and there is no terminal to type it on.")
	case err != nil:
		return nil, problems.New(problems.CodeVaultLocked, "The vault needs a passphrase, and none was typed.")
	}
	return []byte(typed), nil
}

// GuardFlags say what an operator allows.
type GuardFlags struct {
	AllowWrites                bool
	approval                   access.Approval
	tools, Tenants, partnerIDs List
}

func (g *GuardFlags) Add(flags *pflag.FlagSet) {
	flags.BoolVar(&g.AllowWrites, "allow-writes", false, "let tools write, each time after a person confirms")
	g.addApproval(flags)
	g.AddBounds(flags)
	config.Standing(flags, "allow-writes", "approval")
}

func (g *GuardFlags) addApproval(flags *pflag.FlagSet) {
	AddChoice(flags, &g.approval, "approval", "`MODE` of confirmation before a write; none needs --simulate or --partner-ids",
		access.ApprovalAsk, access.ApprovalRequester, access.ApprovalApprover, access.ApprovalNone)
}

// AddBounds adds what bounds a call whatever the policy says.
func (g *GuardFlags) AddBounds(flags *pflag.FlagSet) {
	flags.Var(&g.tools, "tools", "only these `TOOLS`, separated by commas")
	flags.Var(&g.Tenants, "tenants", "only these `TENANTS`: names or globs, separated by commas")
	flags.Var(&g.partnerIDs, "partner-ids", "allow writes of these partner `IDS` only, separated by commas")
	config.Standing(flags, "tools", "tenants", "partner-ids")
}

func (g *GuardFlags) Rules() guard.Options {
	return guard.Options{
		AllowWrites: g.AllowWrites, Approval: g.approval,
		Bounds: access.Bounds{Tools: g.tools, Tenants: g.Tenants, PartnerIDs: g.partnerIDs},
	}
}

type choice[T ~string] struct {
	value   *T
	allowed []T
}

// AddChoice adds a flag that takes one of the words that are allowed, of which the
// first is its default. An empty one is no word to give.
func AddChoice[T ~string](flags *pflag.FlagSet, value *T, name, usage string, allowed ...T) {
	*value = allowed[0]
	flags.Var(&choice[T]{value, allowed}, name, usage)
	words := xslices.Map(allowed, func(word T) string { return string(word) })
	config.Choices(flags, name, slices.DeleteFunc(words, func(word string) bool { return word == "" })...)
}

func (c *choice[T]) Set(text string) error {
	if !slices.Contains(c.allowed, T(text)) {
		return errors.New("not one of the words")
	}
	*c.value = T(text)
	return nil
}

func (c *choice[T]) String() string { return string(*c.value) }

func (c *choice[T]) Type() string { return "word" }

// List is a flag of several values separated by commas. It refuses an empty
// one: --tenants "$CUSTOMERS" with nothing in the variable would otherwise be a
// bound that bounds nothing.
type List []string

// Set implements pflag.Value; a flag that is given twice adds up.
func (l *List) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return errors.New("an item of the list is empty")
		}
		*l = append(*l, item)
	}
	return nil
}

// String implements pflag.Value.
func (l *List) String() string { return strings.Join(*l, ",") }

// Type implements pflag.Value.
func (l *List) Type() string { return config.ListType }

// AddTime adds a flag for a day, which begins at midnight UTC, or a point in time.
func AddTime(flags *pflag.FlagSet, at *time.Time, name, usage string) {
	flags.TimeVar(at, name, time.Time{}, []string{time.DateOnly, time.RFC3339}, usage)
}

// AddAuthorities adds a flag that names a file of certificate authorities. An
// empty name, as of an unset variable in a script, would trust the system's.
func AddAuthorities(flags *pflag.FlagSet, path *string, name, usage string) {
	flags.Func(name, usage, func(value string) error {
		if *path = value; value == "" {
			return errors.New("the path is empty")
		}
		return nil
	})
}

func addKindFlags(k *credential.Options, flags *pflag.FlagSet) {
	flags.StringVar((*string)(&k.Kind), "kind", "", "`KIND` of a new credential: "+strings.Join(tenants.KindNames(), ", "))
	AddCertificateFlags(k, flags, "the client certificate")
	flags.StringVar(&k.TokenFile, "token-file", "", "workload identity: the platform keeps a token in this `FILE`")
	flags.BoolVar(&k.GitHub, "github-oidc", false, "workload identity: the token comes from the job's OIDC endpoint (GitHub Actions)")
	flags.StringVar(&k.HomeTenant, "home-tenant", "", "managed identity: `GUID` of the tenant in which it exists (default: --tenant-id)")
	flags.StringVar(&k.ResourceID, "identity-resource-id", "", "managed identity: the user-assigned one with this resource `ID`")
	flags.StringVar(&k.ObjectID, "identity-object-id", "", "managed identity: the user-assigned one with this object ID (`GUID`)")
	flags.StringVar(&k.Expires, "expires", "", "expiry `DATE` of the client secret, such as 2027-01-31")
}

// AddCertificateFlags adds the ways of a certificate with its key.
func AddCertificateFlags(k *credential.Options, flags *pflag.FlagSet, what string) {
	flags.StringVar(&k.CertificateFile, "certificate-file", "", "read "+what+" with its RSA key from this `FILE` (PEM or PFX)")
	flags.BoolVar(&k.CertificateStdin, "certificate-stdin", false, "read "+what+" with its RSA key from standard input")
	flags.StringVar(&k.PassphraseFile, "certificate-passphrase-file", "", "`FILE` with the passphrase of the certificate's key (default: asked for if it needs one)")
}

// AddCredentialFlags adds the flags that say which credential acts in a tenant.
func AddCredentialFlags(c *credential.Options, flags *pflag.FlagSet) {
	flags.StringVar(&c.Name, "credential", "", "`NAME` of the credential, or azure-cli (default: named after the tenant)")
	flags.StringVar(&c.ClientID, "client-id", "", "`GUID` of the application")
	AddSecretFlags(&c.Secret, flags)
	addKindFlags(c, flags)
}

// AddSecretFlags adds the ways of a client secret.
func AddSecretFlags(s *credential.SecretOptions, flags *pflag.FlagSet) {
	flags.BoolVar(&s.Stdin, "secret-stdin", false, "read the client secret from standard input; on a terminal, ask without echo")
	flags.StringVar(&s.File, "secret-file", "", "read the client secret from this `FILE`")
}

// AddConsentFlags adds the consent to send a stored secret to another place.
func AddConsentFlags(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.OtherAuthority, app.OtherAuthorityFlag, false, "send a stored secret, or its tokens, to an authority or ARM that is new for it")
	config.Typed(flags, app.OtherAuthorityFlag)
}

// AddKeepLinkFlag adds the consent to leave a link of the former identity.
func AddKeepLinkFlag(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.KeepLink, "keep-link", false, "change the identity without reading the link, and leave the link as it is")
	config.Typed(flags, "keep-link")
}

// AddSimulationFlags adds everything but the number of tenants, whose flag differs.
func AddSimulationFlags(w *app.SimulationOptions, flags *pflag.FlagSet) {
	flags.DurationVar(&w.Latency, "latency", 0, "`TIME` that each simulated answer takes, such as 50ms")
	flags.StringVar(&w.Throttle, "throttle", "", "simulated `LIMITS`: requests at once and refilled per second, such as reads=250/25,writes=200/10")
	flags.Var((*List)(&w.Faults), "fault", "`FAULT` of simulated answers as KIND=PERCENT, such as html=2; repeatable (mcp-partner simulate --help lists the kinds)")
	flags.Uint64Var(&w.Seed, "seed", 0, "seed `NUMBER` of everything that is generated")
}

// DefaultSimulated is how many tenants --simulate makes without a number.
const DefaultSimulated = 10

// SimulateFlags are --simulate[=N] and, for a server, how the simulation behaves.
type SimulateFlags struct {
	count simulateCount
	world app.SimulationOptions
}

func (o *SimulateFlags) Add(flags *pflag.FlagSet) {
	flag := flags.VarPF(&o.count, "simulate", "", "use a simulated Azure in this process, with `N` tenants (default 10)")
	flag.NoOptDefVal = strconv.Itoa(DefaultSimulated)
	config.Standing(flags, "simulate")
}

// AddWorld adds how the simulation behaves.
func (o *SimulateFlags) AddWorld(flags *pflag.FlagSet) { AddSimulationFlags(&o.world, flags) }

// Start starts the simulation on a loopback port, or returns nil where none is
// wanted.
func (o *SimulateFlags) Start(ctx context.Context) (*app.Simulation, error) {
	if o.count == 0 {
		return nil, nil
	}
	o.world.Tenants = int(o.count)
	return app.StartSimulation(ctx, o.world, "127.0.0.1:0")
}

// Check refuses simulation flags without --simulate: a user who types --fault
// does not expect to reach the real Azure.
func (o *SimulateFlags) Check(flags *pflag.FlagSet) error {
	if o.count == 0 && config.WasTyped(flags, "latency", "throttle", "fault", "seed") {
		return exit.Usage("add --simulate, or leave them out", "--latency, --throttle, --fault and --seed need a simulation")
	}
	return nil
}

// simulateCount is a number of tenants; 0 means no simulation.
type simulateCount int

// Set implements pflag.Value. It takes true and false too, which is what
// people put into environment variables.
func (c *simulateCount) Set(text string) error {
	switch text {
	case "true":
		*c = DefaultSimulated
		return nil
	case "false":
		*c = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		return errors.New("not a number of tenants")
	}
	*c = simulateCount(n)
	return nil
}

func (c *simulateCount) String() string { return strconv.Itoa(int(*c)) }

func (c *simulateCount) Type() string { return "int" }
