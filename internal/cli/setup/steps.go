package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mcp-partner/internal/app"
	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/cli/client"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/doctor"
	tenantscmd "mcp-partner/internal/cli/tenants"
	"mcp-partner/internal/cli/term"
	vaultcmd "mcp-partner/internal/cli/vault"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

func (s *firstRun) makeVault(ctx context.Context) error {
	a, err := s.f.Open(nil)
	if err != nil {
		return err
	}
	err = a.Open(ctx)
	a.Close()
	if err == nil {
		s.u.Linef(term.Good, "  The vault %s opens.", a.Files.Where())
		return s.u.Err
	}
	if problems.As(err).Code != problems.CodeVaultMissing {
		return err
	}
	if s.o.key == keyAuto && s.terminal != nil {
		if err := s.chooseKey(ctx); err != nil {
			return err
		}
	}
	return s.initVault(ctx)
}

func (s *firstRun) chooseKey(ctx context.Context) error {
	choice, err := s.pick(ctx, "Where to keep its key", [][2]string{
		{string(keyAuto), "in the keychain of this system if there is one, else in a file that only you can read"},
		{string(keyFile), "in a file beside the vault that only you can read"},
		{string(keyPassphrase), "nowhere: you type a passphrase, and a server reads it from a file"},
	}, string(keyAuto))
	s.o.key = keyPlace(choice)
	return err
}

// initVault tries the keychain first where that is wanted. A system without one
// is no error unless it was asked for by name.
func (s *firstRun) initVault(ctx context.Context) error {
	if s.o.key != keyKeychain && (s.o.key != keyAuto || s.f.Keys.IdentityFile+s.f.Keys.PassphraseFile != "") {
		return s.newVault(ctx, vault.BackendFile)
	}
	err := s.newVault(ctx, vault.BackendKeychain)
	if err == nil || s.o.key != keyAuto {
		return err
	}
	s.u.Field("keychain", "not available here: "+strings.TrimSuffix(exit.MessageOf(err), ".")+"; the key goes into a file")
	return s.newVault(ctx, vault.BackendFile)
}

func (s *firstRun) newVault(ctx context.Context, backend vault.Backend) error {
	where, key, err := vaultcmd.Create(ctx, s.f, vault.Settings{Backend: backend}, s.o.key == keyPassphrase)
	if err != nil {
		return err
	}
	s.u.Linef(term.Good, "  Created an empty vault %s.", where)
	s.u.Field("key", key)
	s.u.Field("the same", "mcp-partner vault init")
	return s.u.Err
}

// partnerIDsKey is the setting that denies all other partner IDs.
const partnerIDsKey = "partner-ids"

// boundPartnerIDs writes the person's own IDs into config.yaml. Without them a
// typing error of an agent could credit another partner.
func (s *firstRun) boundPartnerIDs(ctx context.Context) error {
	path := filepath.Join(s.f.StateDir, app.ConfigName)
	if s.f.Config.Sets(partnerIDsKey) {
		return s.boundAlready(s.f.Source.Path)
	}
	if len(s.o.partnerIDs) == 0 {
		if err := s.askUntil(ctx, "Your partner IDs (MPN IDs of location accounts), separated by commas; all others are denied", "", s.takePartnerIDs); err != nil {
			return err
		}
	}
	if len(s.o.partnerIDs) == 0 {
		s.u.Line(term.Warn, "  None given: once writes are on, any partner ID can be written.")
		s.u.Field("later", "partner-ids: [\"1234567\"] in "+path)
		return s.u.Err
	}
	if err := partnerid.Check("--partner-ids", s.o.partnerIDs...); err != nil {
		return exit.AsUsage(err)
	}
	line := "# The only partner IDs that may be written, whatever an agent asks for.\n" + partnerIDsKey + ": [\"" + strings.Join(s.o.partnerIDs, `", "`) + "\"]\n"
	if err := addSetting(s.f, path, line); err != nil {
		return err
	}
	s.u.Linef(term.Good, "  Only %s can be written (set in %s).", strings.Join(s.o.partnerIDs, ", "), path)
	return s.u.Err
}

// boundAlready says which IDs the file names. It is not changed for others: who wrote
// them there may be somebody else.
func (s *firstRun) boundAlready(path string) error {
	var bound cmdutil.List
	_ = bound.Set(s.f.Config.Value(partnerIDsKey)) // the flag of that name took it already
	slices.Sort(bound)
	given := slices.Sorted(slices.Values(s.o.partnerIDs))
	if len(given) > 0 && !slices.Equal(slices.Compact(given), slices.Compact(bound)) {
		return exit.Refused("correct the line "+partnerIDsKey+" there, or leave --partner-ids out",
			"%s already allows %s, which differ from the given partner IDs", path, term.Escape(strings.Join(bound, ", ")))
	}
	s.u.Linef(term.Good, "  %s already allows only %s.", path, strings.Join(bound, ", "))
	return s.u.Err
}

// takePartnerIDs reads what was typed; nothing is an answer too.
func (s *firstRun) takePartnerIDs(typed string) error {
	if typed == "" {
		return nil
	}
	var ids cmdutil.List
	if err := ids.Set(typed); err != nil {
		return exit.Usage("write them as 1234567,7654321", "%s", err)
	}
	if err := partnerid.Check("a partner ID", ids...); err != nil {
		return exit.AsUsage(err)
	}
	s.o.partnerIDs = ids
	return nil
}

// addSetting appends a setting to a config file that still reads with it.
func addSetting(deps *cmdutil.Deps, path, line string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return cmdutil.Unwritable(path)
	}
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		text = append(text, '\n')
	}
	text = append(text, line...)
	file, err := config.Parse(path, text, deps.Source.Known())
	if err != nil || !file.Sets(partnerIDsKey) {
		return exit.Failed("add the line yourself: "+strings.TrimSpace(line[strings.Index(line, "\n"):]), "%s cannot be added to", path)
	}
	return cmdutil.WriteOutput(path, text, true)
}

// addTenant adds the first tenant. One that is there is left as it is.
func (s *firstRun) addTenant(ctx context.Context) (err error) {
	if s.a, err = s.f.Open(nil); err != nil {
		return err
	}
	entries, err := s.a.Directory.List()
	if err != nil {
		return err
	}
	known, unknown := s.a.Directory.Get(s.o.tenant.Name)
	if len(entries) > 0 && s.o.tenant.Name == "" {
		known, unknown = entries[0], nil
	}
	if unknown == nil {
		s.o.tenant.Name = known.Name
		s.u.Linef(term.Good, "  %s is in the directory already.", known.Name)
		return s.u.Err
	}
	if err := s.askTenant(ctx); err != nil {
		return err
	}
	if len(s.o.partnerIDs) == 1 && !s.o.tenant.Given("expect-partner") {
		if err := s.set("expect-partner", s.o.partnerIDs[0]); err != nil {
			return err
		}
	}
	if err := tenantscmd.RunAdd(ctx, s.f, s.a, &s.o.tenant); err != nil {
		return err
	}
	return s.signIn(ctx)
}

func (s *firstRun) askTenant(ctx context.Context) error {
	if s.o.tenant.Name == "" {
		if err := s.askUntil(ctx, "A short name for the customer's tenant, such as contoso", "", s.takeName); err != nil {
			return err
		}
	}
	if s.o.tenant.Given("credential", "client-id", "kind") || s.terminal == nil {
		return nil
	}
	return s.askCredential(ctx)
}

func (s *firstRun) takeName(typed string) error {
	if typed == "" {
		return exit.Usage("mcp-partner setup contoso", "the first tenant has no name")
	}
	if err := tenants.CheckTenantName(typed); err != nil {
		return exit.AsUsage(err)
	}
	s.o.tenant.Name = typed
	return nil
}

// The ways to sign in that setup offers; tenants add knows more.
const (
	wayAz     = "az"
	waySecret = "secret"
	wayPerson = "person"
)

func (s *firstRun) askCredential(ctx context.Context) error {
	choices := [][2]string{
		{waySecret, "an application (service principal) with a client secret: for servers, and for many tenants"},
		{wayPerson, "you: sign in with a code in a browser on any device"},
	}
	usual := waySecret
	account, signedIn := azAccount(ctx)
	if signedIn {
		choices = append([][2]string{{wayAz, "the person signed in with Azure CLI: " + account.User.Name}}, choices...)
		usual = wayAz
	}
	way, err := s.pick(ctx, "Which identity acts there", choices, usual)
	if err != nil {
		return err
	}
	switch way {
	case wayAz:
		if err := s.askTenantID(ctx, account.TenantID); err != nil {
			return err
		}
		return s.set("credential", credential.AzureCLI)
	case wayPerson:
		if err := s.askTenantID(ctx, ""); err != nil {
			return err
		}
		return s.set("kind", string(tenants.KindDeviceCode)) // by Microsoft's own application
	}
	if err := s.askTenantID(ctx, ""); err != nil || s.o.tenant.Given("client-id") {
		return err
	}
	return s.askUntil(ctx, "The application's client ID (a GUID)", "", func(typed string) error {
		if !naming.IsGUID(typed) {
			return exit.Usage("run mcp-partner setup again; completed steps are kept", "that is not a GUID such as 00000000-0000-0000-0000-000000000000")
		}
		return s.set("client-id", typed)
	})
}

func azAccount(ctx context.Context) (azurecli.Account, bool) {
	path, err := azurecli.Find()
	if err != nil {
		return azurecli.Account{}, false
	}
	account, err := azurecli.CurrentAccount(ctx, path)
	return account, err == nil
}

func (s *firstRun) askTenantID(ctx context.Context, usual string) error {
	if s.o.tenant.Given("tenant-id") {
		return nil
	}
	return s.askUntil(ctx, "The customer's tenant ID (a GUID) or domain", usual, func(typed string) error {
		if !naming.IsGUID(typed) && tenants.CheckDomain(typed) != nil {
			return exit.Usage("run mcp-partner setup again; completed steps are kept", "that is not a GUID or a domain such as contoso.com")
		}
		if err := s.set("tenant-id", typed); err != nil {
			return err
		}
		return s.o.tenant.Resolve(ctx, s.f, s.a)
	})
}

// set gives a flag a value, as if it had been typed.
func (s *firstRun) set(flag, value string) error {
	if err := s.o.tenant.Flags.Set(flag, value); err != nil {
		return exit.Usage("mcp-partner setup --help", "--%s does not accept that value", flag)
	}
	return nil
}

func (s *firstRun) prove(ctx context.Context) error {
	entry, err := s.a.Directory.Get(s.o.tenant.Name)
	if err != nil {
		return err
	}
	if err := s.proveSecret(ctx, entry); err != nil {
		return err
	}
	found := doctor.CheckTenant(ctx, s.a, entry)
	if found.Status == doctor.CheckFail {
		return exit.Failed(found.Fix+"; then run setup again", "%s", strings.TrimSuffix(found.Message, "."))
	}
	s.u.Linef(map[bool]term.Style{true: term.Warn, false: term.Good}[found.Status == doctor.CheckWarn], "  %s: %s", entry.Name, found.Message)
	s.u.Field("the same", "mcp-partner call check_partner_link --tenant "+entry.Name)
	return s.u.Err
}

func (s *firstRun) proveSecret(ctx context.Context, entry tenants.Entry) error {
	config, err := s.a.Directory.Credential(entry.Credentials[0].Name)
	if err != nil || config.Kind != tenants.KindClientSecret || s.terminal == nil {
		return err
	}
	for range attempts {
		err := s.a.SignIn(ctx, entry, config)
		if !signin.WrongSecret(err) {
			return nil // the read says what else is wrong
		}
		s.u.Line(term.Warn, "  "+problems.As(err).Message+" Type one that is valid: the secret's value, not its ID.")
		if err := s.replaceSecret(ctx, config); err != nil {
			return err
		}
	}
	return nil
}

// replaceSecret takes a secret that was typed; a text that cannot be one counts
// as an attempt.
func (s *firstRun) replaceSecret(ctx context.Context, config tenants.CredentialConfig) error {
	typed, err := cmdutil.PromptSecret(ctx, s.terminal, config.Name)
	if err != nil {
		return s.stopped(err)
	}
	secret, err := vault.NewSecret([]byte(typed))
	if err != nil {
		s.u.Line(term.Warn, "  "+exit.MessageOf(err))
		return nil
	}
	if err := s.a.Store.Put(ctx, config.SecretName, secret); err != nil {
		return err
	}
	s.f.RecordSecret(ctx, s.a, config.Name)
	return nil
}

// installClients writes the server into the clients that were named, or that
// the person agrees to.
func (s *firstRun) installClients(ctx context.Context) error {
	names := s.o.clients
	if len(names) == 0 && s.terminal != nil {
		for _, c := range clientfile.Clients() {
			if _, here := c.Here(clientfile.Place{GOOS: runtime.GOOS, Env: s.f.IO.Env}); !here {
				continue
			}
			agreed, err := s.agrees(ctx, "Write this server into the configuration of "+c.Title+"?", true)
			if err != nil {
				return err
			}
			if agreed {
				names = append(names, c.Name)
			}
		}
	}
	serve, err := s.f.KeyArguments()
	if err != nil {
		return err
	}
	for _, name := range names {
		o := &client.InstallOptions{ClientOptions: client.ClientOptions{Name: "partner", Scope: clientfile.ScopeUser}, Serve: serve}
		if err := o.Check(name); err != nil {
			return err
		}
		if err := client.RunInstall(ctx, s.f, o); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		s.u.Line(term.Plain, "  No client was changed.")
		s.u.Field("later", "mcp-partner install "+strings.Join(clientfile.Names(), " | "))
	}
	return s.u.Err
}
