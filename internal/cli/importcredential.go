package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// setCredential writes what a row tells of its first credential.
func (r tenantRow) setCredential(config tenants.CredentialConfig) {
	r["kind"], r["expires"], r["home_tenant"] = string(config.Kind), config.Expires, config.HomeTenant
	r["assertion"], r["identity"] = config.TokenFile, config.ResourceID+config.ObjectID
	if config.AssertionSource == tenants.AssertionGitHub {
		r["assertion"] = tenants.AssertionGitHub
	}
	// A certificate says itself when it ends.
	if config.Kind == tenants.KindClientCertificate {
		r["expires"] = ""
	}
}

// credential reads what setCredential writes, as if it were flags.
func (r tenantRow) credential(clientID string) credentialOptions {
	o := credentialOptions{clientID: clientID}
	o.kind.kind, o.kind.expires, o.kind.homeTenant = r["kind"], r["expires"], r["home_tenant"]
	switch assertion := r["assertion"]; {
	case strings.EqualFold(assertion, tenants.AssertionGitHub):
		o.kind.github = true
	default:
		o.kind.tokenFile = assertion
	}
	if identity := r["identity"]; strings.HasPrefix(identity, "/") {
		o.kind.resourceID = identity
	} else {
		o.kind.identityObjectID = identity
	}
	return o
}

// define makes sure that a credential exists, or will.
func (im *importer) define(name string, cells tenantRow, tenantID string) error {
	mine := sameName(name, im.options.credential.name)
	clientID := cells["client_id"]
	if clientID == "" && mine {
		clientID = im.options.credential.clientID
	}
	have, exists := im.known[naming.Fold(name)]
	switch {
	case exists && clientID != "" && !strings.EqualFold(have.ClientID, clientID):
		return fmt.Errorf("credential %q exists with another client ID", schemas.Foreign(name))
	case exists && cells["kind"] != "" && cells["kind"] != string(have.Kind):
		return fmt.Errorf("credential %q exists and is of the kind %s", schemas.Foreign(name), have.Kind)
	case exists:
		return nil
	case name == azureCLI:
		path, err := azurecli.Find()
		if err != nil {
			return err
		}
		return im.addCredential(tenants.CredentialConfig{Name: azureCLI, Kind: tenants.KindAzureCLI, AzPath: path})
	}
	return im.defineNew(name, clientID, cells, tenantID, mine)
}

func (im *importer) defineNew(name, clientID string, cells tenantRow, tenantID string, mine bool) error {
	o := cells.credential(clientID)
	if mine && cells["kind"] == "" {
		o.kind = im.options.credential.kind
	}
	if id := cells["tenant_id"]; id != "" {
		tenantID = id
	}
	kind, err := o.kind.meant()
	if err == nil && clientID == "" && kind.Application() {
		return fmt.Errorf("credential %q does not exist, and there is no client_id to make it with; give a client_id, or --credential NAME for rows that name none", schemas.Foreign(name))
	}
	config, err := o.config(name, tenantID)
	if err != nil {
		return fmt.Errorf("credential %q: %s", schemas.Foreign(name), messageOf(err))
	}
	return im.addCredential(config)
}

// takeSecret stores the secret or the certificate that came along, for the one
// credential that it can be meant for.
func (p *importPlan) takeSecret(ctx context.Context, f *Factory, h *house, o *importRequest) error {
	config, err := p.secretFor(h, o)
	if err != nil {
		return err
	}
	if err := o.credential.changes(config); err != nil {
		return err
	}
	renewed, err := f.replaceSecret(ctx, h, config, &o.credential)
	if err != nil {
		return err
	}
	for i, fresh := range p.credentials {
		if sameName(fresh.Name, config.Name) {
			if renewed.Expires == "" {
				renewed.Expires = fresh.Expires // what the file says of it
			}
			p.credentials[i] = renewed
			return nil
		}
	}
	return h.directory.SetCredential(ctx, renewed)
}

// secretFor finds the credential that the secret of the command is for.
func (p *importPlan) secretFor(h *house, o *importRequest) (tenants.CredentialConfig, error) {
	var candidates []tenants.CredentialConfig
	for _, config := range p.credentials {
		if config.Kind.Given() && (o.credential.name == "" || sameName(config.Name, o.credential.name)) {
			candidates = append(candidates, config)
		}
	}
	switch {
	case len(candidates) == 1:
		return candidates[0], nil
	case o.credential.name != "":
		return h.directory.Credential(o.credential.name)
	}
	return tenants.CredentialConfig{}, usage("say with --credential NAME whose it is", "the secret could be for any of %d new credentials", len(candidates))
}

// pendingSecret is a credential that still needs its secret.
type pendingSecret struct {
	tenant, credential string
	kind               tenants.Kind
}

// command is what a person runs to give it.
func (p pendingSecret) command() string {
	switch {
	case p.kind.Person():
		return "mcp-partner vault login " + p.credential
	case p.kind == tenants.KindClientCertificate:
		return "mcp-partner tenants set " + p.tenant + " --certificate-file FILE   (the certificate of the credential " + p.credential + ")"
	}
	return "mcp-partner tenants set " + p.tenant + " --secret-stdin   (the secret of the credential " + p.credential + ")"
}

// came reports whether the secret of a new credential came along.
func (p *importPlan) came(config tenants.CredentialConfig, o *importRequest) bool {
	return o.credential.given() && (len(p.credentials) == 1 || sameName(config.Name, o.credential.name))
}

// adopt takes for new credentials what the vault holds for them already. One
// that does not open now leaves them without, which is said at the end.
func (p *importPlan) adopt(ctx context.Context, h *house, o *importRequest) error {
	for i, config := range p.credentials {
		if !config.Kind.Given() || p.came(config, o) {
			continue
		}
		if held, err := h.holds(ctx, config.Name); err != nil || !held {
			continue
		}
		got, err := h.adopt(ctx, config, config.Expires)
		if err != nil {
			return err
		}
		p.credentials[i] = got.config
		p.held = append(p.held, config.Name)
	}
	return nil
}

// withoutSecret lists new credentials for which no secret came along, each with
// a tenant by which it can be given.
func (p *importPlan) withoutSecret(o *importRequest) []pendingSecret {
	var missing []pendingSecret
	for _, config := range p.credentials {
		if !config.Kind.Stored() || p.came(config, o) || slices.Contains(p.held, config.Name) {
			continue
		}
		for _, entry := range p.diff.Added {
			if entry.Credentials[0].Name == config.Name {
				missing = append(missing, pendingSecret{entry.Name, config.Name, config.Kind})
				break
			}
		}
	}
	return missing
}
