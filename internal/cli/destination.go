package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/internal/config"
	"mcp-partner/internal/naming"
	"mcp-partner/tenants"
)

// consentOptions are what only a person may say, on the command line itself: no
// variable and no file counts for them.
type consentOptions struct {
	// otherAuthority lets a stored secret go where it has not gone so far.
	otherAuthority bool
	// keepLink leaves a link behind that nobody could remove any more.
	keepLink bool
}

// otherAuthorityFlag says it.
const otherAuthorityFlag = "allow-other-authority"

func (c *consentOptions) add(flags *pflag.FlagSet) {
	flags.BoolVar(&c.otherAuthority, otherAuthorityFlag, false, "send a stored secret, or its tokens, where they have not been sent so far")
	config.Typed(flags, otherAuthorityFlag)
}

func (c *consentOptions) addKeepLink(flags *pflag.FlagSet) {
	flags.BoolVar(&c.keepLink, "keep-link", false, "change who acts there without looking, and leave whatever is linked")
	config.Typed(flags, "keep-link")
}

// destination is where a secret is sent, and where the tokens for it are.
type destination struct{ authority, endpoint, audience string }

func destinationOf(cloud tenants.Cloud) destination {
	return destination{cloud.Authority, cloud.ARMEndpoint, cloud.ARMAudience}
}

func (d destination) String() string { return d.authority + " (ARM " + d.endpoint + ")" }

// cloudsOf lists where a credential is sent, one cloud for each destination: as
// the tenants of the directory say, or if none uses it those of the archive.
func (h *house) cloudsOf(credential string) ([]tenants.Cloud, error) {
	entries, err := h.directory.List()
	if err != nil {
		return nil, err
	}
	if found := cloudsIn(entries, credential); len(found) > 0 {
		return found, nil
	}
	archived, err := h.directory.Archived()
	for _, one := range archived {
		entries = append(entries, one.Entry)
	}
	return cloudsIn(entries, credential), err
}

func cloudsIn(entries []tenants.Entry, credential string) []tenants.Cloud {
	var found []tenants.Cloud
	for _, entry := range entries {
		same := func(c tenants.Cloud) bool { return destinationOf(c) == destinationOf(entry.Cloud) }
		if _, err := entry.Credential(credential); err == nil && !slices.ContainsFunc(found, same) {
			found = append(found, entry.Cloud)
		}
	}
	return found
}

// usualCloud is where an existing credential is sent by every tenant that uses
// it. A tenant that shares it and says nothing about its cloud is there too.
func (h *house) usualCloud(config tenants.CredentialConfig) (tenants.Cloud, error) {
	public := tenants.Cloud{Name: tenants.CloudPublic}
	if _, err := h.directory.Credential(config.Name); err != nil || config.Kind == tenants.KindAzureCLI {
		return public, nil // a new one
	}
	found, err := h.cloudsOf(config.Name)
	if err != nil || len(found) != 1 {
		return public, err
	}
	return found[0], nil
}

// checkDestinations refuses entries, in their normal form, that would send a
// stored secret elsewhere than so far. Whoever can have somebody add a tenant
// could otherwise have the secret of all of them sent to a host of his own.
// Credentials that get another secret right now are not asked about, nor those
// that are new, unless the vault holds a secret for them. It says what was
// allowed.
func (h *house) checkDestinations(ctx context.Context, entries []tenants.Entry, fresh []tenants.CredentialConfig, allowed bool, replaced ...string) (said []string, err error) {
	held := map[string]tenants.CredentialConfig{}
	if slices.ContainsFunc(entries, func(e tenants.Entry) bool { return e.Cloud.Name == tenants.CloudCustom }) {
		if held, err = h.heldFor(ctx, fresh); err != nil {
			return nil, err
		}
	}
	for _, entry := range entries {
		for _, ref := range entry.Credentials {
			text, err := h.checkDestination(entry, ref.Name, held, allowed, replaced)
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

func (h *house) checkDestination(entry tenants.Entry, credential string, held map[string]tenants.CredentialConfig, allowed bool, replaced []string) (said string, err error) {
	stored, err := h.directory.Credential(credential)
	if err != nil {
		var ok bool
		if stored, ok = held[naming.Fold(credential)]; !ok {
			return "", nil
		}
	} else if slices.Contains(replaced, stored.Name) {
		return "", nil
	}
	known, err := h.cloudsOf(stored.Name)
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
	return "", refused("give the cloud and the endpoints that it belongs to, or a credential of its own; if it is meant, give --"+otherAuthorityFlag,
		"%s; for %s it would go to %s", was, entry.Name, next)
}

// destinationFields show where a credential is sent, unless it is the public
// cloud.
func (u *ui) destinationFields(cloud tenants.Cloud) {
	if cloud.Name == tenants.CloudPublic {
		return
	}
	u.field("cloud", cloud.Name)
	u.field("authority", cloud.Authority)
	u.field("ARM", cloud.ARMEndpoint)
}
