package hashicorp

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"mcp-partner/schemas"
	"mcp-partner/vault/internal/backend"
)

// lease is a password that the server made and takes back.
type lease struct {
	id       string
	clientID string
	item     backend.Item
	client   *api.Client
}

// PutAzureRole makes an item whose value is the password of a role of the Azure
// engine. The role is checked now and at each new password.
func (b *Backend) PutAzureRole(ctx context.Context, name, role, clientID string) error {
	if !isPath(role) || role == "" || strings.Contains(role, "/") {
		return invalid("The role of the Azure engine is not a name of letters, digits, - and _.")
	}
	if err := b.checkRole(ctx, role); err != nil {
		return err
	}
	return b.put(ctx, name, map[string]any{fieldRole: role, fieldClientID: clientID}, "")
}

// checkRole accepts a role that adds a password to an application which exists.
// In its default mode the engine makes a service principal for each lease: that
// has another object ID, so it has no partner link, and it would be deleted
// with whatever was linked by it.
func (b *Backend) checkRole(ctx context.Context, role string) error {
	return b.do(ctx, "looking at the role "+role+" of the Azure engine", func(ctx context.Context, s *session) error {
		found, err := s.reader.Logical().ReadWithContext(ctx, b.settings.AzureMount+"/roles/"+role)
		if err != nil {
			return err
		}
		if found == nil {
			return backend.Broken("The Azure engine of the vault server has no role "+role+".", "Give the name of a role: vault list "+b.settings.AzureMount+"/roles")
		}
		if object, _ := found.Data["application_object_id"].(string); object == "" {
			return schemas.NewProblem(schemas.CodeInvalidArgument,
				"The role "+role+" of the Azure engine makes a new service principal for each lease. A partner link belongs to the object ID of one identity: "+
					"a new one has no link, and the engine deletes it together with what it had linked.",
				schemas.WithHint("Set application_object_id in the role, so that the engine adds passwords to the application that exists."))
		}
		return nil
	})
}

// password returns the password of the lease that is held, or of a new one.
func (b *Backend) password(ctx context.Context, name, role, clientID string) (backend.Item, error) {
	b.leasing.Lock()
	defer b.leasing.Unlock()
	if l, ok := b.leases[name]; ok && l.clientID == clientID {
		return l.item, nil
	}
	if err := b.checkRole(ctx, role); err != nil {
		return backend.Item{}, err
	}
	var taken *lease
	err := b.do(ctx, "taking a password of the Azure engine", func(ctx context.Context, s *session) error {
		secret, err := s.writer.Logical().ReadWithContext(ctx, b.settings.AzureMount+"/creds/"+role)
		if err != nil {
			return err
		}
		taken, err = b.leaseOf(ctx, s, secret, clientID)
		if err == nil {
			b.leases[name] = taken
			b.keep(s.reader, secret, func() { b.release(name, taken) })
		}
		return err
	})
	if err != nil {
		return backend.Item{}, err
	}
	return taken.item, nil
}

// leaseOf reads what the engine gave. A password of another application than
// the directory names is given back at once.
func (b *Backend) leaseOf(ctx context.Context, s *session, secret *api.Secret, clientID string) (*lease, error) {
	if secret == nil || secret.LeaseID == "" {
		return nil, unusable("a password without a lease")
	}
	password, _ := secret.Data["client_secret"].(string)
	client, _ := secret.Data["client_id"].(string)
	if password == "" || !strings.EqualFold(client, clientID) {
		_ = s.writer.Sys().RevokeWithContext(ctx, secret.LeaseID) // it ends by itself too
		return nil, unusable("a password of another application than the one that was named for this secret")
	}
	// It has no end that anybody has to know of: it is renewed, then replaced.
	return &lease{id: secret.LeaseID, clientID: clientID, client: s.writer, item: backend.Item{
		Value: []byte(password), Version: secret.LeaseID, UpdatedAt: time.Now(),
	}}, nil
}

// release forgets a lease that can be renewed no more.
func (b *Backend) release(name string, ended *lease) {
	b.leasing.Lock()
	defer b.leasing.Unlock()
	if b.leases[name] == ended {
		delete(b.leases, name)
	}
}
