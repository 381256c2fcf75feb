package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// Consent are what only a person may say, on the command line itself: no
// variable and no file counts for them.
type Consent struct {
	// otherAuthority lets a stored secret go where it has not gone so far.
	OtherAuthority bool
	// KeepLink leaves a link behind that no credential could remove any more.
	KeepLink bool
}

// OtherAuthorityFlag says it.
const OtherAuthorityFlag = "allow-other-authority"

// destination is where a secret is sent, and where the tokens for it are.
type destination struct{ authority, endpoint, audience string }

func destinationOf(cloud tenants.Cloud) destination {
	return destination{cloud.Authority, cloud.ARMEndpoint, cloud.ARMAudience}
}

func (d destination) String() string { return d.authority + " (ARM " + d.endpoint + ")" }

// Destinations finds where a credential is sent, one cloud for each destination:
// as the tenants of the directory say, or if none uses it those of the archive.
// It reads both at most once, for any number of credentials.
type Destinations struct {
	a               *App
	current, former func() (map[string][]tenants.Cloud, error)
}

// Destinations returns those of the directory as it is when they are first asked.
func (a *App) Destinations() *Destinations {
	return &Destinations{
		a: a,
		current: sync.OnceValues(func() (map[string][]tenants.Cloud, error) {
			entries, err := a.Directory.List()
			return cloudsIn(entries), err
		}),
		former: sync.OnceValues(func() (map[string][]tenants.Cloud, error) {
			archived, err := a.Directory.Archived()
			return cloudsIn(xslices.Map(archived, func(one tenants.ArchivedEntry) tenants.Entry { return one.Entry })), err
		}),
	}
}

func (d *Destinations) of(credential string) ([]tenants.Cloud, error) {
	for _, clouds := range []func() (map[string][]tenants.Cloud, error){d.current, d.former} {
		known, err := clouds()
		if found := known[naming.Fold(credential)]; err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// cloudsIn lists the clouds of each credential, by its folded name.
func cloudsIn(entries []tenants.Entry) map[string][]tenants.Cloud {
	found := map[string][]tenants.Cloud{}
	for _, entry := range entries {
		same := func(c tenants.Cloud) bool { return destinationOf(c) == destinationOf(entry.Cloud) }
		for _, ref := range entry.Credentials {
			name := naming.Fold(ref.Name)
			if !slices.ContainsFunc(found[name], same) {
				found[name] = append(found[name], entry.Cloud)
			}
		}
	}
	return found
}

// Usual is where an existing credential is sent by every tenant that uses it. A
// tenant that shares it and says nothing about its cloud is there too.
func (d *Destinations) Usual(config tenants.CredentialConfig) (tenants.Cloud, error) {
	public := tenants.Cloud{Name: tenants.CloudPublic}
	if _, err := d.a.Directory.Credential(config.Name); err != nil || config.Kind == tenants.KindAzureCLI {
		return public, nil // a new one
	}
	found, err := d.of(config.Name)
	if err != nil || len(found) != 1 {
		return public, err
	}
	return found[0], nil
}

// CheckDestinations refuses entries, in normal form, that would send a stored
// secret to a new host. Otherwise a person who can have a tenant added could
// direct the shared secret to a host of their own. It skips credentials that
// get another secret now, and new ones unless the vault holds a secret for
// them. It returns what was allowed.
func (a *App) CheckDestinations(ctx context.Context, entries []tenants.Entry, fresh []tenants.CredentialConfig, allowed bool, replaced ...string) (said []string, err error) {
	held := map[string]tenants.CredentialConfig{}
	if slices.ContainsFunc(entries, func(e tenants.Entry) bool { return e.Cloud.Name == tenants.CloudCustom }) {
		if held, err = a.heldFor(ctx, fresh); err != nil {
			return nil, err
		}
	}
	known := a.Destinations()
	for _, entry := range entries {
		for _, ref := range entry.Credentials {
			text, err := known.check(entry, ref.Name, held, allowed, replaced)
			if err != nil {
				return nil, err
			}
			if text != "" {
				said = append(said, text)
			}
		}
	}
	return said, nil
}

func (d *Destinations) check(entry tenants.Entry, credential string, held map[string]tenants.CredentialConfig, allowed bool, replaced []string) (said string, err error) {
	stored, err := d.a.Directory.Credential(credential)
	if err != nil {
		var ok bool
		if stored, ok = held[naming.Fold(credential)]; !ok {
			return "", nil
		}
	} else if slices.Contains(replaced, stored.Name) {
		return "", nil
	}
	known, err := d.of(stored.Name)
	if err != nil {
		return "", err
	}
	return judgeDestination(entry, stored, known, allowed)
}

func judgeDestination(entry tenants.Entry, credential tenants.CredentialConfig, known []tenants.Cloud, allowed bool) (said string, err error) {
	next := destinationOf(entry.Cloud)
	var before []string
	for _, cloud := range known {
		if destinationOf(cloud) == next {
			return "", nil
		}
		before = append(before, destinationOf(cloud).String())
	}
	if len(known) == 0 && entry.Cloud.Name != tenants.CloudCustom {
		return "", nil
	}
	what := "what the credential " + credential.Name + " signs in with"
	if credential.Kind.Given() {
		what = "the stored secret of the credential " + credential.Name
	}
	was := what + " was sent to " + strings.Join(before, " and ") + " so far"
	if len(known) == 0 {
		was = "no tenant uses the credential " + credential.Name + ", so where " + strings.Replace(what, "the stored secret of the credential "+credential.Name, "its stored secret", 1) + " belongs is not known"
	}
	if allowed {
		return fmt.Sprintf("%s; for %s it goes to %s now.", strings.ToUpper(was[:1])+was[1:], entry.Name, next), nil
	}
	return "", exit.Refused("give the cloud and the endpoints that it belongs to, or a credential of its own; if it is meant, give --"+OtherAuthorityFlag,
		"%s; for %s it would go to %s", was, entry.Name, next)
}

// heldFor finds which of the new credentials the vault holds something for. It
// opens the vault only if there is one that could.
func (a *App) heldFor(ctx context.Context, fresh []tenants.CredentialConfig) (map[string]tenants.CredentialConfig, error) {
	found := map[string]tenants.CredentialConfig{}
	for _, config := range fresh {
		if !config.Kind.Stored() {
			continue
		}
		held, err := a.Holds(ctx, config.Name)
		if err != nil {
			return nil, err
		}
		if held {
			found[naming.Fold(config.Name)] = config
		}
	}
	return found, nil
}

// maxCAFile bounds a file of certificate authorities, in bytes.
const maxCAFile = 1 << 20

// ReadAuthorities reads the file of certificate authorities that a flag names.
// A file that holds none is refused: it would widen the trust that the flag
// narrows. No path means the system's authorities.
func ReadAuthorities(flag, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	const next = "give a file with certificates in PEM"
	pem, err := disk.ReadTrusted(path, disk.Unchanged, maxCAFile)
	if err != nil {
		return nil, exit.FileError(flag, path, next, err)
	}
	if httpclient.CheckCA(pem) != nil {
		return nil, exit.Usage(next, "%s %s holds no PEM certificate", flag, path)
	}
	return pem, nil
}

// ReadCA reads a file of certificate authorities; no file means the system's.
func ReadCA(path string) (string, error) {
	pem, err := ReadAuthorities("--ca-file", path)
	return string(pem), err
}

// AtHome refuses a managed identity for a tenant in which it does not exist.
func AtHome(entry tenants.Entry, config tenants.CredentialConfig) error {
	if home := config.HomeTenant; home != "" && !strings.EqualFold(home, entry.TenantID) {
		return exit.Refused("give "+entry.Name+" a credential of another kind", "the managed identity of the credential %s exists in tenant %s only", config.Name, home)
	}
	return nil
}

// CheckSuccession refuses a change after which nobody could remove a link: one
// that takes a credential which has acted in the tenant away, or makes the
// entry stand for another tenant. Only a credential that has acted there once,
// and so has a pin, can have a link.
func (a *App) CheckSuccession(ctx context.Context, before, after tenants.Entry, added []tenants.CredentialConfig) error {
	leaving := before
	leaving.Credentials = nil
	for _, ref := range before.Credentials {
		if ref.PinnedObjectID != "" && !a.staysIn(ref, before, after, added) {
			leaving.Credentials = append(leaving.Credentials, ref)
		}
	}
	return a.CheckUnlinked(ctx, leaving, "after this change nobody could remove that link")
}

// staysIn reports whether the identity of a credential still acts in the tenant
// after a change. Another credential of the same application is the same
// identity.
func (a *App) staysIn(gone tenants.CredentialRef, before, after tenants.Entry, added []tenants.CredentialConfig) bool {
	if !strings.EqualFold(before.TenantID, after.TenantID) {
		return false
	}
	was, err := a.Directory.Credential(gone.Name)
	if err != nil {
		return false
	}
	for _, ref := range after.Credentials {
		is, err := a.Directory.Credential(ref.Name)
		for _, one := range added {
			if naming.Same(one.Name, ref.Name) {
				is, err = one, nil
			}
		}
		if err == nil && is.SameIdentity(was) {
			return true
		}
	}
	return false
}

// CheckUnlinked looks at the link of every credential of the entry. What would
// be lost is a part of the refusal.
func (a *App) CheckUnlinked(ctx context.Context, entry tenants.Entry, lost string) error {
	for _, ref := range entry.Credentials {
		client, err := a.Clients.Client(ctx, entry.Tenant(), ref.Name)
		if err != nil {
			return err
		}
		read := client.Link(ctx)
		switch {
		case read.Link.State.Absent():
		case read.Link.State == answers.LinkLinked:
			return exit.Refused(
				fmt.Sprintf("mcp-partner call remove_partner --tenant %s --credential %s --partner-id %s --allow-writes, or give --keep-link", entry.Name, ref.Name, read.Link.PartnerID),
				"%s is still linked to partner ID %s, and %s", entry.Name, read.Link.PartnerID, lost)
		default:
			return undecided(entry.Name, read.Problem)
		}
	}
	return nil
}

func undecided(tenant string, problem *problems.Problem) error {
	why, next := "", ""
	if problem != nil {
		why, next = " ("+strings.TrimSuffix(problem.Message, ".")+")", problem.Hint+" "
	}
	return exit.Refused(next+"Or give --keep-link.", "the link of %s is unknown%s, so it was not changed", tenant, why)
}
