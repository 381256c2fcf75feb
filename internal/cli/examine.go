package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// examine makes all checks, as far as each lets the next one be made.
func (f *Factory) examine(ctx context.Context, o *doctorOptions) []check {
	checks := []check{{"version", checkOK, "mcp-partner " + buildOf().Version + ", " + buildOf().Go + ".", ""}}
	dir, err := f.stateDirectory()
	if err != nil {
		return append(checks, check{"state_dir", checkFail, messageOf(err) + ".", "mcp-partner doctor --state-dir DIR"})
	}
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return append(checks, failedCheck("state_dir", err, "ls -ld "+shellWord(dir)+" "+shellWord(filepath.Join(dir, "directory.json"))))
	}
	defer h.Close()
	// A ledger that was removed is not made anew by whoever looks for it.
	h.unrecorded = h.missingLedger(ctx) != nil
	checks = append(checks, checkStateDir(dir))
	entries, credentials, err := h.all()
	if err != nil {
		return append(checks, failedCheck("directory", err, ""))
	}
	checks = append(checks, f.checkVault(ctx, h, credentials), checkDirectory(entries))
	checks = append(checks, f.checkCredentials(ctx, h, entries, credentials)...)
	if o.read {
		checks = append(checks, h.checkTenants(ctx, entries)...)
	}
	checks = append(checks, f.checkRecord(ctx, h)...)
	checks = append(checks, f.checkProxy())
	checks = append(checks, h.checkEndpoints(ctx, entries)...)
	checks = append(checks, f.checkClients()...)
	return append(checks, checkDisk(dir))
}

// failedCheck words a problem. Its fix is the problem's own command if it names
// one, else the one that is given.
func failedCheck(name string, err error, fix string) check {
	end := endOf(err)
	return check{name, checkFail, end.message, cmp.Or(end.command, fix)}
}

func (h *house) all() ([]tenants.Entry, []tenants.CredentialConfig, error) {
	entries, err := h.directory.List()
	if err != nil {
		return nil, nil, err
	}
	credentials, err := h.directory.Credentials()
	return entries, credentials, err
}

// checkStateDir says whether it is there; opening the house has checked what
// others may do in it.
func checkStateDir(dir string) check {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return check{"state_dir", checkWarn, dir + " is not there yet; it is made at the first change.", "mcp-partner setup"}
	case err != nil:
		return check{"state_dir", checkFail, dir + " cannot be reached.", "ls -ld " + shellWord(dir)}
	}
	return check{"state_dir", checkOK, fmt.Sprintf("%s is there and closed to others (mode %04o).", dir, info.Mode().Perm()), ""}
}

// checkVault opens the vault. A vault that nothing needs may be missing.
func (f *Factory) checkVault(ctx context.Context, h *house, credentials []tenants.CredentialConfig) check {
	needed := false
	for _, config := range credentials {
		needed = needed || config.Kind.Stored()
	}
	err := h.open(ctx)
	switch problem := schemas.AsProblem(err); {
	case err == nil:
		return check{"vault", checkOK, h.store.KeyDescription(), ""}
	case problem.Code == schemas.CodeVaultMissing && !needed && !h.keepsRecord():
		return check{"vault", checkWarn, problem.Message + " No credential needs it so far.", "mcp-partner vault init"}
	case problem.Code == schemas.CodeVaultLocked:
		return check{"vault", checkFail, problem.Message + " " + h.store.KeyDescription(), "mcp-partner doctor --passphrase-file FILE"}
	}
	return failedCheck("vault", err, "mcp-partner vault status")
}

func checkDirectory(entries []tenants.Entry) check {
	if len(entries) == 0 {
		return check{"directory", checkWarn, "The directory holds no tenant yet.", "mcp-partner setup"}
	}
	return check{"directory", checkOK, "The directory holds " + count(len(entries), "tenant") + ".", ""}
}

// checkCredentials signs in once with each credential, in the first tenant
// that uses it.
func (f *Factory) checkCredentials(ctx context.Context, h *house, entries []tenants.Entry, credentials []tenants.CredentialConfig) []check {
	before := h.health.All()
	var checks []check
	for _, config := range credentials {
		checks = append(checks, warnOfKind(config)...)
		signs := h.checkCredential(ctx, entries, config)
		signs.Message += standing(config, entries, before[naming.Fold(config.Name)])
		checks = append(checks, signs)
		checks = append(checks, checkExpiry(h.withKnownEnd(ctx, config), entries, time.Now())...)
		checks = append(checks, checkHome(config, entries)...)
	}
	checks = append(checks, f.checkSurroundings(credentials)...)
	return append(checks, h.checkOrphans(ctx, credentials)...)
}

// checkOrphans finds secrets that no credential stands for. A vault that cannot
// be read has been told of already.
func (h *house) checkOrphans(ctx context.Context, credentials []tenants.CredentialConfig) []check {
	names, err := h.store.List(ctx)
	if err != nil {
		return nil
	}
	fix := "mcp-partner vault remove "
	if h.vault != nil && h.vault.Settings().Backend.Shared() {
		// Others may use it: it is not for this state directory to remove.
		fix = "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --credential "
	}
	var checks []check
	for _, name := range names {
		used := func(config tenants.CredentialConfig) bool { return sameName(config.SecretName, name) }
		if !slices.ContainsFunc(credentials, used) {
			checks = append(checks, check{"secret " + name, checkWarn, "The vault holds it, and no credential here uses it.", fix + name})
		}
	}
	return checks
}

func (h *house) checkCredential(ctx context.Context, entries []tenants.Entry, config tenants.CredentialConfig) check {
	name := "credential " + config.Name
	for _, entry := range entries {
		if _, err := entry.Credential(config.Name); err != nil {
			continue
		}
		if err := h.signIn(ctx, entry, config); err != nil {
			return failedCheck(name, err, signInFix(err, entry, config)).at(entry.Name)
		}
		return check{name, checkOK, "It signs in, in tenant " + entry.Name + ".", ""}
	}
	return check{name, checkWarn, "No tenant uses it. It can be given to one, or removed.", "mcp-partner vault remove " + config.Name}
}

// at puts a tenant's name where a fix has a place for one.
func (c check) at(tenant string) check {
	c.Fix = schemas.CommandFor(c.Fix, tenant)
	return c
}

// readAtOnce bounds how many links are read at the same time.
const readAtOnce = 8

// checkTenants reads every link.
func (h *house) checkTenants(ctx context.Context, entries []tenants.Entry) []check {
	checks := make([]check, len(entries))
	var group sync.WaitGroup
	places := make(chan struct{}, readAtOnce)
	for i, entry := range entries {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			checks[i] = h.checkTenant(ctx, entry)
		})
	}
	group.Wait()
	return checks
}

func (h *house) checkTenant(ctx context.Context, entry tenants.Entry) check {
	name := "tenant " + entry.Name
	client, err := h.clients.Client(ctx, entry.Tenant(), "")
	if err != nil {
		return failedCheck(name, err, "mcp-partner tenants list")
	}
	read := client.Link(ctx)
	switch {
	case read.Problem != nil:
		return failedCheck(name, read.Problem, readFix(read.Problem, entry)).at(entry.Name)
	case entry.ExpectedPartnerID != "" && (read.Link.State != schemas.LinkLinked || read.Link.PartnerID != entry.ExpectedPartnerID):
		return check{name, checkWarn, "This identity is " + linkText(&read.Link) + "; expected is " + entry.ExpectedPartnerID + ".",
			"mcp-partner call check_partner_link --tenant " + entry.Name}
	}
	return check{name, checkOK, "This identity is " + linkText(&read.Link) + ".", ""}
}

// checkProxy names the proxy's host alone: its URL may hold a password.
func (f *Factory) checkProxy() check {
	for _, variable := range []string{"HTTPS_PROXY", "https_proxy"} {
		value, _ := f.IO.Env(variable)
		if value == "" {
			continue
		}
		proxy, err := url.Parse(value)
		if err != nil || proxy.Host == "" {
			return check{"proxy", checkFail, variable + " is not a URL.", "unset " + variable}
		}
		return check{"proxy", checkOK, "Requests go through the proxy " + proxy.Host + " (" + variable + ").", ""}
	}
	return check{"proxy", checkOK, "There is no proxy; requests go out directly.", ""}
}
