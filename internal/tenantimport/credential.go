package tenantimport

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/tenants"
)

func (r Row) setCredential(config tenants.CredentialConfig) {
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
func (r Row) credential(clientID string) credential.Options {
	var o credential.Options
	o.ClientID, o.Kind, o.Expires, o.HomeTenant = clientID, tenants.Kind(r["kind"]), r["expires"], r["home_tenant"]
	if o.GitHub = strings.EqualFold(r["assertion"], tenants.AssertionGitHub); !o.GitHub {
		o.TokenFile = r["assertion"]
	}
	if identity := r["identity"]; strings.HasPrefix(identity, "/") {
		o.ResourceID = identity
	} else {
		o.ObjectID = identity
	}
	return o
}

// define makes sure that a credential exists, or will.
func (p *Plan) define(name string, cells Row, tenantID string) error {
	mine := naming.Same(name, p.request.Credential.Name)
	clientID := cells["client_id"]
	if clientID == "" && mine {
		clientID = p.request.Credential.ClientID
	}
	have, exists := p.known[naming.Fold(name)]
	switch {
	case exists && clientID != "" && !strings.EqualFold(have.ClientID, clientID):
		return fmt.Errorf("credential %q exists with another client ID", untrusted.Sanitize(name))
	case exists && cells["kind"] != "" && cells["kind"] != string(have.Kind):
		return fmt.Errorf("credential %q exists and is of the kind %s", untrusted.Sanitize(name), have.Kind)
	case exists:
		return nil
	case name == credential.AzureCLI:
		path, err := azurecli.Find()
		if err != nil {
			return err
		}
		return p.addCredential(tenants.CredentialConfig{Name: credential.AzureCLI, Kind: tenants.KindAzureCLI, AzPath: path})
	}
	return p.defineNew(name, clientID, cells, tenantID, mine)
}

func (p *Plan) defineNew(name, clientID string, cells Row, tenantID string, mine bool) error {
	o := cells.credential(clientID)
	if mine && cells["kind"] == "" {
		o = p.request.Credential
		o.ClientID = clientID
	}
	if id := cells["tenant_id"]; id != "" {
		tenantID = id
	}
	kind, err := o.Meant()
	if err == nil && clientID == "" && kind.Application() {
		return fmt.Errorf("credential %q does not exist, and there is no client_id to make it with; give a client_id, or --credential NAME for rows that name none", untrusted.Sanitize(name))
	}
	config, err := o.New(name, tenantID)
	if err != nil {
		return fmt.Errorf("credential %q: %s", untrusted.Sanitize(name), exit.MessageOf(err))
	}
	return p.addCredential(config)
}

// SecretFor finds the credential that the secret of the command is for.
func (p *Plan) SecretFor() (tenants.CredentialConfig, error) {
	name := p.request.Credential.Name
	candidates := xslices.Filter(p.Credentials, func(config tenants.CredentialConfig) bool {
		return config.Kind.Given() && (name == "" || naming.Same(config.Name, name))
	})
	switch {
	case len(candidates) == 1:
		return candidates[0], nil
	case name != "":
		return p.app.Directory.Credential(name)
	}
	return tenants.CredentialConfig{}, exit.Usage("name one with --credential NAME", "the secret could be for any of %d new credentials", len(candidates))
}

type pendingSecret struct {
	tenant, credential string
	kind               tenants.Kind
}

// Command is what a person runs to give it.
func (p pendingSecret) Command() string {
	switch {
	case p.kind.Interactive():
		return "mcp-partner vault login " + p.credential
	case p.kind == tenants.KindClientCertificate:
		return "mcp-partner tenants set " + p.tenant + " --certificate-file FILE   (the certificate of the credential " + p.credential + ")"
	}
	return "mcp-partner tenants set " + p.tenant + " --secret-stdin   (the secret of the credential " + p.credential + ")"
}

func (p *Plan) came(config tenants.CredentialConfig) bool {
	given := &p.request.Credential
	return given.Given() && (len(p.Credentials) == 1 || naming.Same(config.Name, given.Name))
}

// Adopt takes for new credentials what the vault holds for them already. One
// that does not open now leaves them without, which is said at the end.
func (p *Plan) Adopt(ctx context.Context) error {
	for i, config := range p.Credentials {
		if !config.Kind.Given() || p.came(config) {
			continue
		}
		if held, err := p.app.Holds(ctx, config.Name); err != nil || !held {
			continue
		}
		got, err := p.app.Adopt(ctx, config, config.Expires)
		if err != nil {
			return err
		}
		p.Credentials[i] = got.Config
		p.held = append(p.held, config.Name)
	}
	return nil
}

// WithoutSecret lists new credentials for which no secret came along, each with
// a tenant by which it can be given.
func (p *Plan) WithoutSecret() []pendingSecret {
	first := map[string]string{}
	for _, entry := range slices.Backward(p.Diff.Added) {
		first[entry.Credentials[0].Name] = entry.Name
	}
	for _, name := range p.held {
		delete(first, name)
	}
	var missing []pendingSecret
	for _, config := range p.Credentials {
		if tenant, ok := first[config.Name]; ok && config.Kind.Stored() && !p.came(config) {
			missing = append(missing, pendingSecret{tenant, config.Name, config.Kind})
		}
	}
	return missing
}
