// Package doctor has the command that checks everything a server needs.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

func examine(ctx context.Context, deps *cmdutil.Deps, o *doctorOptions) []check {
	checks := []check{{"version", checkOK, "mcp-partner " + app.BuildInfo().Version + ", " + app.BuildInfo().Go + ".", ""}}
	dir, err := deps.StateDirectory()
	if err != nil {
		return append(checks, check{"state_dir", CheckFail, exit.MessageOf(err) + ".", "mcp-partner doctor --state-dir DIR"})
	}
	a, err := deps.Open(nil)
	if err != nil {
		failed := failedCheck("state_dir", err, "ls -ld "+phrase.ShellWord(dir))
		if next := exit.Of(err).Next; next != "" {
			failed.Message = strings.TrimSuffix(failed.Message, ".") + "; " + strings.TrimSuffix(next, ".") + "."
		}
		return append(checks, failed)
	}
	defer a.Close()
	// The doctor does not create a ledger in place of a removed one.
	a.Unrecorded = a.MissingLedger(ctx) != nil
	checks = append(checks, checkStateDir(a.Files))
	entries, credentials, err := a.All()
	if err != nil {
		return append(checks, failedCheck("directory", err, ""))
	}
	checks = append(checks, checkVault(ctx, a, credentials), checkDirectory(entries))
	checks = append(checks, checkCredentials(ctx, deps, a, entries, credentials)...)
	if o.read {
		checks = append(checks, checkTenants(ctx, a, entries)...)
	}
	checks = append(checks, checkPeople(ctx, deps, a)...)
	checks = append(checks, checkRecord(ctx, deps, a)...)
	proxy := httpclient.ProxyFromEnvironment(deps.Getenv)
	if len(entries) == 0 && proxy.Variable != "" {
		public, _ := tenants.CloudNamed(tenants.CloudPublic) // shows whether the proxy gives a way to Azure at all
		entries = []tenants.Entry{{Cloud: public}}
	}
	checks = append(checks, checkProxy(proxy))
	checks = append(checks, checkEndpoints(ctx, a, entries)...)
	checks = append(checks, checkClients(deps)...)
	free, err := freeBytes(nearest(dir))
	return append(checks, judgeDisk(dir, free, err))
}

// failedCheck words a problem. Its fix is the problem's own command if it names
// one, else the one that is given.
func failedCheck(name string, err error, fix string) check {
	end := exit.Of(err)
	return check{name, CheckFail, end.Message, cmp.Or(end.Command, fix)}
}

// checkStateDir says whether it is there; opening the house has checked what
// others may do in it.
func checkStateDir(where disk.Dir) check {
	dir := where.Path
	if where.Shared != nil {
		return check{"state_dir", checkOK, "Vault, tenants and credential health are " + where.Where() + ". " + dir + " keeps what this machine alone has: config.yaml, and vault.key where there is one.", ""}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return check{"state_dir", CheckWarn, dir + " does not exist yet; the first change creates it.", "mcp-partner setup"}
	case err != nil:
		return check{"state_dir", CheckFail, dir + " cannot be reached.", "ls -ld " + phrase.ShellWord(dir)}
	}
	if runtime.GOOS == "windows" {
		home, _ := os.UserHomeDir() // without one nothing lies in it
		return checkProfile(dir, home)
	}
	if where.PlatformModes && info.Mode().Perm()&0o077 != 0 {
		return check{"state_dir", CheckWarn, fmt.Sprintf("%s has mode %04o, which --platform-modes accepts: only the platform protects it.", dir, info.Mode().Perm()), ""}
	}
	return check{"state_dir", checkOK, fmt.Sprintf("%s is readable by you only (mode %04o).", dir, info.Mode().Perm()), ""}
}

// checkProfile is for Windows, where modes say nothing: a profile is kept from other users.
func checkProfile(dir, home string) check {
	if inside, err := filepath.Rel(home, dir); err == nil && filepath.IsLocal(inside) {
		return check{"state_dir", checkOK, dir + " lies in your profile, which Windows keeps from other users. Its access list is not read.", ""}
	}
	return check{"state_dir", CheckWarn, dir + " lies outside of your profile: other users of this machine may read it.",
		fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:(OI)(CI)F"`, dir)}
}

// checkVault opens the vault. A vault that nothing needs may be missing.
func checkVault(ctx context.Context, a *app.App, credentials []tenants.CredentialConfig) check {
	needed := slices.ContainsFunc(credentials, func(c tenants.CredentialConfig) bool { return c.Kind.Stored() })
	err := a.Open(ctx)
	switch problem := problems.As(err); {
	case err == nil:
		return check{"vault", checkOK, a.Store.KeyDescription(), ""}
	case problem.Code == problems.CodeVaultMissing && !needed && !a.KeepsRecord():
		return check{"vault", CheckWarn, problem.Message + " No credential needs it so far.", "mcp-partner vault init"}
	case problem.Code == problems.CodeVaultLocked:
		return check{"vault", CheckFail, problem.Message + " " + a.Store.KeyDescription(), "mcp-partner doctor --passphrase-file FILE"}
	}
	return failedCheck("vault", err, "mcp-partner vault status")
}

func checkDirectory(entries []tenants.Entry) check {
	if len(entries) == 0 {
		return check{"directory", CheckWarn, "The tenant directory is empty.", "mcp-partner setup"}
	}
	return check{"directory", checkOK, "The directory holds " + phrase.Count(len(entries), "tenant") + ".", ""}
}

// checkCredentials signs in once with each credential, in the first tenant
// that uses it.
func checkCredentials(ctx context.Context, deps *cmdutil.Deps, a *app.App, entries []tenants.Entry, credentials []tenants.CredentialConfig) []check {
	before := a.Health.All()
	var checks []check
	for _, config := range credentials {
		checks = append(checks, warnOfKind(config)...)
		signs := checkCredential(ctx, a, entries, config)
		signs.Message += standing(config, entries, before[naming.Fold(config.Name)])
		checks = append(checks, signs)
		checks = append(checks, checkExpiry(withKnownEnd(ctx, a, config), entries, time.Now())...)
		checks = append(checks, checkHome(config, entries)...)
	}
	checks = append(checks, checkSurroundings(deps, credentials)...)
	return append(checks, checkOrphans(ctx, a, credentials)...)
}

// checkOrphans finds secrets that no credential stands for. A vault that cannot
// be read has been told of already.
func checkOrphans(ctx context.Context, a *app.App, credentials []tenants.CredentialConfig) []check {
	names, err := a.Store.List(ctx)
	if err != nil {
		return nil
	}
	fix := "mcp-partner vault remove "
	if a.Vault != nil && a.Vault.Settings().Backend.Shared() {
		// Others may use it: it is not for this state directory to remove.
		fix = "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --credential "
	}
	var checks []check
	for _, name := range names {
		used := func(config tenants.CredentialConfig) bool { return naming.Same(config.SecretName, name) }
		if !slices.ContainsFunc(credentials, used) && !a.SignsInWith(name) {
			checks = append(checks, check{"secret " + name, CheckWarn, "The vault holds it, but no credential uses it.", fix + name})
		}
	}
	return checks
}

func checkCredential(ctx context.Context, a *app.App, entries []tenants.Entry, config tenants.CredentialConfig) check {
	name := "credential " + config.Name
	users := tenants.Using(entries, config.Name)
	if len(users) == 0 {
		return check{name, CheckWarn, "No tenant uses it. Give it to a tenant, or remove it.", "mcp-partner vault remove " + config.Name}
	}
	entry := users[0]
	if err := a.SignIn(ctx, entry, config); err != nil {
		return failedCheck(name, err, signInFix(err, entry, config)).at(entry.Name)
	}
	return check{name, checkOK, "It signs in to tenant " + entry.Name + ".", ""}
}

// at puts a tenant's name where a fix has a place for one.
func (c check) at(tenant string) check {
	c.Fix = problems.CommandFor(c.Fix, tenant)
	return c
}

const readAtOnce = 8

func checkTenants(ctx context.Context, a *app.App, entries []tenants.Entry) []check {
	checks := make([]check, len(entries))
	var group errgroup.Group
	group.SetLimit(readAtOnce)
	for i, entry := range entries {
		group.Go(func() error {
			checks[i] = CheckTenant(ctx, a, entry)
			return nil
		})
	}
	_ = group.Wait() // each check has its own failure
	return checks
}

// CheckTenant reads the link of a tenant and compares it with what is expected there.
func CheckTenant(ctx context.Context, a *app.App, entry tenants.Entry) check {
	name := "tenant " + entry.Name
	client, err := a.Clients.Client(ctx, entry.Tenant(), "")
	if err != nil {
		return failedCheck(name, err, "mcp-partner tenants list")
	}
	read := client.Link(ctx)
	switch {
	case read.Problem != nil:
		return failedCheck(name, read.Problem, readFix(read.Problem, entry)).at(entry.Name)
	case entry.ExpectedPartnerID != "" && (read.Link.State != answers.LinkLinked || string(read.Link.PartnerID) != entry.ExpectedPartnerID):
		return check{name, CheckWarn, "This identity is " + render.LinkText(&read.Link) + "; expected is " + entry.ExpectedPartnerID + ".",
			"mcp-partner call check_partner_link --tenant " + entry.Name}
	}
	return check{name, checkOK, "This identity is " + render.LinkText(&read.Link) + ".", ""}
}

// checkProxy says which proxy is set. It names the proxy's host alone: its URL may
// hold a password. The checks of the hosts say whether it gives a way to them.
func checkProxy(proxy httpclient.Proxy) check {
	switch {
	case proxy.Variable == "":
		return check{"proxy", checkOK, "No proxy is set; requests go out directly.", ""}
	case proxy.Err != nil:
		return proxyFailed("proxy", proxy.Err)
	}
	return check{"proxy", checkOK, "Requests go through the proxy " + proxy.URL.Host + " (" + proxy.Variable + ").", ""}
}

func proxyFailed(name string, err error) check {
	text, next := "the proxy cannot be used", ""
	if proxy, ok := errors.AsType[*httpclient.ProxyError](err); ok {
		text, next = proxy.Error(), " "+proxy.Next
	}
	return check{name, CheckFail, strings.ToUpper(text[:1]) + text[1:] + "." + next, "export HTTPS_PROXY=http://HOST:PORT"}
}

type doctorOptions struct {
	json, read bool
}

// NewCmdDoctor builds `doctor`.
func NewCmdDoctor(deps *cmdutil.Deps) *cobra.Command {
	options := &doctorOptions{}
	command := &cobra.Command{
		Use:     "doctor",
		Aliases: []string{"status"},
		Short:   "Check everything that a server needs, with a fix for each finding",
		RunE:    func(command *cobra.Command, _ []string) error { return runDoctor(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print {\"checks\":[{name,status,message,fix}]}")
	flags.BoolVar(&options.read, "read", false, "read the link of each tenant too")
	deps.AddKeyFlags(flags)
	return command
}

// The outcomes of a check.
const (
	checkOK   = "ok"
	CheckWarn = "warn"
	CheckFail = "fail"
)

// check is one line of the doctor. Fix is a command, or empty.
type check struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

func runDoctor(ctx context.Context, deps *cmdutil.Deps, o *doctorOptions) error {
	checks := examine(ctx, deps, o)
	for i := range checks {
		if command, ours := strings.CutPrefix(checks[i].Fix, "mcp-partner "); ours {
			checks[i].Fix = deps.Program() + " " + command
		}
	}
	if o.json {
		if err := deps.IO.PrintJSON(map[string][]check{"checks": checks}); err != nil {
			return err
		}
	} else if err := showChecks(deps, checks); err != nil {
		return err
	}
	for _, c := range checks {
		if c.Status == CheckFail {
			return exit.Silent(exit.CodeFailed)
		}
	}
	return nil
}

func showChecks(deps *cmdutil.Deps, checks []check) error {
	u := deps.IO.UI()
	styles := map[string]term.Style{checkOK: term.Good, CheckWarn: term.Warn, CheckFail: term.Bad}
	for _, c := range checks {
		u.Entry(styles[c.Status], map[string]string{checkOK: "ok  ", CheckWarn: "warn", CheckFail: "FAIL"}[c.Status], c.Name, c.Message)
		u.Field("  fix", c.Fix)
	}
	return u.Err
}
