package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// makeVault makes a vault where there is none.
func (s *firstRun) makeVault(ctx context.Context) error {
	h, err := s.f.openHouse(s.o.tenant.keys, nil)
	if err != nil {
		return err
	}
	err = h.open(ctx)
	h.Close()
	if err == nil {
		s.u.linef(good, "  There is a vault in %s, and it opens.", s.f.StateDir)
		return s.u.err
	}
	if schemas.AsProblem(err).Code != schemas.CodeVaultMissing {
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
	choice, err := s.pick(ctx, "Where is its key to be", [][2]string{
		{string(keyAuto), "in the keychain of this system where there is one, else in a file that only you can read"},
		{string(keyFile), "in a file beside the vault that only you can read"},
		{string(keyPassphrase), "nowhere: a passphrase opens it, and a server needs it in a file"},
	}, string(keyAuto))
	s.o.key = keyPlace(choice)
	return err
}

// initVault tries the keychain first where that is wanted. A system without one
// is no error unless it was asked for by name.
func (s *firstRun) initVault(ctx context.Context) error {
	o := &vaultInitOptions{keys: s.o.tenant.keys, passphrase: s.o.key == keyPassphrase}
	o.backend.backend = backendName(vault.BackendFile)
	tryKeychain := s.o.key == keyKeychain || s.o.key == keyAuto && s.o.tenant.keys == (keyOptions{})
	if tryKeychain {
		o.backend.backend = backendName(vault.BackendKeychain)
	}
	err := s.newVault(ctx, o)
	if err == nil || s.o.key != keyAuto || !tryKeychain {
		return err
	}
	s.u.field("keychain", "not to be had here: "+strings.TrimSuffix(messageOf(err), ".")+"; the key goes into a file")
	o.backend.backend = backendName(vault.BackendFile)
	return s.newVault(ctx, o)
}

// newVault makes the vault as `vault init` does.
func (s *firstRun) newVault(ctx context.Context, o *vaultInitOptions) error {
	dir, err := s.f.stateDirectory()
	if err != nil {
		return err
	}
	source := s.f.keySource(o.keys)
	settings := vault.Settings{Backend: vault.Backend(o.backend.backend)}
	if err := vault.Init(ctx, dir, vault.InitOptions{Key: source, AskPassphrase: o.passphrase, Settings: settings}); err != nil {
		return err
	}
	made, err := vault.OpenVault(dir, source, nil)
	if err != nil {
		return err
	}
	defer made.Close()
	s.u.linef(good, "  Made an empty vault in %s.", dir)
	s.u.field("key", made.KeyDescription())
	s.u.field("the same", "mcp-partner vault init")
	return s.u.err
}

// partnerIDsKey is the setting that denies all other partner IDs.
const partnerIDsKey = "partner-ids"

// boundPartnerIDs writes the person's own IDs into config.yaml. A typing error
// of an agent could otherwise credit a stranger.
func (s *firstRun) boundPartnerIDs(ctx context.Context) error {
	path := filepath.Join(s.f.StateDir, configName)
	if s.f.Config.Sets(partnerIDsKey) {
		return s.boundAlready(s.f.Source.path)
	}
	if len(s.o.partnerIDs) == 0 {
		err := s.askUntil(ctx, "Your partner IDs (MPN IDs of location accounts), with commas between; all others will be denied", "", s.takePartnerIDs)
		if err != nil {
			return err
		}
	}
	if len(s.o.partnerIDs) == 0 {
		s.u.line(warn, "  None was given: any partner ID may be written once writes are on.")
		s.u.field("later", "partner-ids: [\"1234567\"] in "+path)
		return s.u.err
	}
	if err := checkPartnerIDs("--partner-ids", s.o.partnerIDs); err != nil {
		return err
	}
	if err := s.f.addSetting(path, partnerIDsLine(s.o.partnerIDs)); err != nil {
		return err
	}
	s.u.linef(good, "  Only %s may be written; %s says so.", strings.Join(s.o.partnerIDs, ", "), path)
	return s.u.err
}

// boundAlready says which IDs the file names. It is not changed for others: who wrote
// them there may be somebody else.
func (s *firstRun) boundAlready(path string) error {
	bound := strings.Split(s.f.Config.Value(partnerIDsKey), ",")
	for i := range bound {
		bound[i] = strings.TrimSpace(bound[i])
	}
	slices.Sort(bound)
	given := slices.Sorted(slices.Values(s.o.partnerIDs))
	if len(given) > 0 && !slices.Equal(slices.Compact(given), slices.Compact(bound)) {
		return refused("correct the line "+partnerIDsKey+" there, or leave --partner-ids out",
			"%s lets %s be written already, which are other partner IDs than those given", path, escape(strings.Join(bound, ", ")))
	}
	s.u.linef(good, "  %s bounds them already: only %s may be written.", path, strings.Join(bound, ", "))
	return s.u.err
}

// takePartnerIDs reads what was typed; nothing is an answer too.
func (s *firstRun) takePartnerIDs(typed string) error {
	if typed == "" {
		return nil
	}
	var ids list
	if err := ids.Set(typed); err != nil {
		return usage("write them as 1234567,7654321", "%s", err)
	}
	if err := checkPartnerIDs("a partner ID", ids); err != nil {
		return err
	}
	s.o.partnerIDs = ids
	return nil
}

func checkPartnerIDs(field string, ids list) error {
	for _, id := range ids {
		if _, err := schemas.ParsePartnerID(field, id); err != nil {
			return asUsage(err)
		}
	}
	return nil
}

func partnerIDsLine(ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = `"` + id + `"`
	}
	return "# The only partner IDs that may be written, whatever an agent asks for.\n" + partnerIDsKey + ": [" + strings.Join(quoted, ", ") + "]\n"
}

// addSetting appends a setting to a config file and proves that it still reads.
func (f *Factory) addSetting(path, line string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return unwritable(path)
	}
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		text = append(text, '\n')
	}
	next := path + ".new"
	_ = os.Remove(next) // a set-up that was killed left it
	if err := create(next, whole(append(text, line...))); err != nil {
		return err
	}
	defer func() { _ = os.Remove(next) }() // gone already where all went well
	file, err := config.Load(next, f.Source.known())
	if err != nil || !file.Sets(partnerIDsKey) {
		return failed("add the line yourself: "+strings.TrimSpace(line[strings.Index(line, "\n"):]), "%s cannot be added to", path)
	}
	if os.Rename(next, path) != nil {
		return unwritable(path)
	}
	return nil
}

// addTenant adds the first tenant. One that is there is left as it is.
func (s *firstRun) addTenant(ctx context.Context) error {
	h, err := s.f.openHouse(s.o.tenant.keys, nil)
	if err != nil {
		return err
	}
	entries, _, err := h.all()
	h.Close()
	if err != nil {
		return err
	}
	if known := s.knownTenant(entries); known != "" {
		s.o.tenant.name = known
		s.u.linef(good, "  %s is in the directory already.", known)
		return s.u.err
	}
	if err := s.askTenant(ctx); err != nil {
		return err
	}
	if len(s.o.partnerIDs) == 1 && !s.o.tenant.given("expect-partner") {
		if err := s.set("expect-partner", s.o.partnerIDs[0]); err != nil {
			return err
		}
	}
	if err := runTenantsAdd(ctx, s.f, &s.o.tenant); err != nil {
		return err
	}
	return s.signIn(ctx)
}

// knownTenant is the tenant that was named, or the first where none was.
func (s *firstRun) knownTenant(entries []tenants.Entry) string {
	i := slices.IndexFunc(entries, func(e tenants.Entry) bool { return sameName(e.Name, s.o.tenant.name) })
	switch {
	case i >= 0:
		return entries[i].Name
	case len(entries) > 0 && s.o.tenant.name == "":
		return entries[0].Name
	}
	return ""
}

// askTenant asks for what `tenants add` needs and no flag says.
func (s *firstRun) askTenant(ctx context.Context) error {
	if s.o.tenant.name == "" {
		if err := s.askUntil(ctx, "A short name for the customer's tenant, such as contoso", "", s.takeName); err != nil {
			return err
		}
	}
	if s.o.tenant.given("credential", "client-id", "kind") || s.terminal == nil {
		return nil
	}
	return s.askCredential(ctx)
}

func (s *firstRun) takeName(typed string) error {
	if typed == "" {
		return usage("mcp-partner setup contoso", "the first tenant has no name")
	}
	if err := tenants.CheckTenantName(typed); err != nil {
		return asUsage(err)
	}
	s.o.tenant.name = typed
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
		{wayPerson, "you: sign in with a code, in a browser on any device"},
	}
	usual := waySecret
	account, signedIn := s.azAccount(ctx)
	if signedIn {
		choices = append([][2]string{{wayAz, "whoever is signed in with Azure CLI: " + account.User}}, choices...)
		usual = wayAz
	}
	way, err := s.pick(ctx, "Who is to act there", choices, usual)
	if err != nil {
		return err
	}
	switch way {
	case wayAz:
		if err := s.askInto(ctx, "tenant-id", tenantQuestion, account.TenantID); err != nil {
			return err
		}
		return s.set("credential", azureCLI)
	case wayPerson:
		return s.askPerson(ctx)
	}
	return s.askApplication(ctx)
}

func (s *firstRun) azAccount(ctx context.Context) (azurecli.Account, bool) {
	path, err := azurecli.Find()
	if err != nil {
		return azurecli.Account{}, false
	}
	account, err := azurecli.CurrentAccount(ctx, path)
	return account, err == nil
}

const tenantQuestion = "The customer's tenant ID (a GUID)"

func (s *firstRun) askApplication(ctx context.Context) error {
	if err := s.askInto(ctx, "tenant-id", tenantQuestion, ""); err != nil {
		return err
	}
	return s.askInto(ctx, "client-id", "The application's client ID (a GUID)", "")
}

// askInto asks for the GUID that is the value of a flag, if it was not given.
func (s *firstRun) askInto(ctx context.Context, flag, question, usual string) error {
	if s.o.tenant.given(flag) {
		return nil
	}
	return s.askUntil(ctx, question, usual, func(typed string) error {
		if !schemas.IsGUID(typed) {
			return usage("run mcp-partner setup again: what is done stays done", "that is no GUID, which looks like 00000000-0000-0000-0000-000000000000")
		}
		return s.set(flag, typed)
	})
}

// set gives a flag a value, as if it had been typed.
func (s *firstRun) set(flag, value string) error {
	if err := s.o.tenant.flags.Set(flag, value); err != nil {
		return usage("mcp-partner setup --help", "--%s does not take that value", flag)
	}
	return nil
}

// prove reads the link of the tenant.
func (s *firstRun) prove(ctx context.Context) error {
	h, err := s.f.openHouse(s.o.tenant.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entry, err := h.directory.Get(s.o.tenant.name)
	if err != nil {
		return err
	}
	found := h.checkTenant(ctx, entry)
	if found.Status == checkFail {
		return failed(found.Fix+"; then run setup again", "%s", strings.TrimSuffix(found.Message, "."))
	}
	shown := good
	if found.Status == checkWarn {
		shown = warn
	}
	s.u.linef(shown, "  %s: %s", entry.Name, found.Message)
	s.u.field("the same", "mcp-partner call check_partner_link --tenant "+entry.Name)
	return s.u.err
}

// installClients writes the server into the clients that were named, or that
// the person agrees to.
func (s *firstRun) installClients(ctx context.Context) error {
	names := s.o.clients
	if len(names) == 0 && s.terminal != nil {
		for _, c := range s.f.presentClients() {
			agreed, err := s.agrees(ctx, "Write this server into the configuration of "+c.Title+"?", true)
			if err != nil {
				return err
			}
			if agreed {
				names = append(names, c.Name)
			}
		}
	}
	serve, err := s.o.tenant.keys.arguments()
	if err != nil {
		return err
	}
	for _, name := range names {
		o := &installOptions{clientOptions: clientOptions{name: "partner", scope: string(clientfile.ScopeUser)}, serve: serve}
		if err := o.check(name); err != nil {
			return err
		}
		if err := runInstall(ctx, s.f, o); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		s.u.line(plain, "  None was changed.")
		s.u.field("later", "mcp-partner install "+strings.Join(clientfile.Names(), " | "))
	}
	return s.u.err
}

// presentClients are those whose folder is there.
func (f *Factory) presentClients() []clientfile.Client {
	var present []clientfile.Client
	for _, c := range clientfile.Clients() {
		path, err := c.Path(clientfile.Place{GOOS: runtime.GOOS, Env: f.IO.Env}, clientfile.ScopeUser)
		if err != nil {
			continue
		}
		_, fileErr := os.Stat(path)
		home, _ := f.IO.Env("HOME")
		if folder := filepath.Dir(path); fileErr == nil || folder != filepath.Clean(home) && isDirectory(folder) {
			present = append(present, c)
		}
	}
	return present
}
