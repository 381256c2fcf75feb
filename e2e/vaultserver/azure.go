package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// azureEngine stands in for the Azure engine: its paths, its two modes, and
// leases that the real core counts, renews and revokes.
type azureEngine struct {
	*framework.Backend

	mu      sync.Mutex
	revoked []string
}

const passwordType = "service_principal"

func azureFactory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	e := &azureEngine{}
	name := &framework.FieldSchema{Type: framework.TypeString}
	e.Backend = &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{
			{
				Pattern: "roles/" + framework.GenericNameRegex("name"),
				Fields: map[string]*framework.FieldSchema{
					"name": name, "application_object_id": {Type: framework.TypeString}, "client_id": {Type: framework.TypeString},
					"ttl": {Type: framework.TypeDurationSecond}, "max_ttl": {Type: framework.TypeDurationSecond},
				},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.ReadOperation:   &framework.PathOperation{Callback: e.readRole},
					logical.UpdateOperation: &framework.PathOperation{Callback: e.writeRole},
				},
			},
			{
				Pattern:    "creds/" + framework.GenericNameRegex("name"),
				Fields:     map[string]*framework.FieldSchema{"name": name},
				Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: e.password}},
			},
			{
				Pattern:    "revoked",
				Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: e.listRevoked}},
			},
		},
		Secrets: []*framework.Secret{{Type: passwordType, Renew: e.renew, Revoke: e.revoke}},
	}
	return e, e.Setup(ctx, config)
}

func (e *azureEngine) writeRole(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	entry, err := logical.StorageEntryJSON("role/"+data.Get("name").(string), map[string]any{
		"application_object_id": data.Get("application_object_id"), "client_id": data.Get("client_id"),
		"ttl": data.Get("ttl"), "max_ttl": data.Get("max_ttl"),
	})
	if err != nil {
		return nil, err
	}
	return nil, request.Storage.Put(ctx, entry)
}

func (e *azureEngine) role(ctx context.Context, request *logical.Request, data *framework.FieldData) (map[string]any, error) {
	entry, err := request.Storage.Get(ctx, "role/"+data.Get("name").(string))
	if err != nil || entry == nil {
		return nil, err
	}
	role := map[string]any{}
	return role, entry.DecodeJSON(&role)
}

func (e *azureEngine) readRole(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	role, err := e.role(ctx, request, data)
	if err != nil || role == nil {
		return nil, err
	}
	return &logical.Response{Data: role}, nil
}

func (e *azureEngine) password(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	role, err := e.role(ctx, request, data)
	if err != nil || role == nil {
		return logical.ErrorResponse("role does not exist"), err
	}
	text := make([]byte, 16)
	_, _ = rand.Read(text)
	password := "azure-engine-" + hex.EncodeToString(text)
	made := e.Secret(passwordType).Response(
		map[string]any{"client_id": role["client_id"], "client_secret": password},
		map[string]any{"password": password, "ttl": role["ttl"], "max_ttl": role["max_ttl"]},
	)
	made.Secret.TTL, made.Secret.MaxTTL, made.Secret.Renewable = seconds(role["ttl"]), seconds(role["max_ttl"]), true
	return made, nil
}

func seconds(value any) time.Duration {
	n, err := time.ParseDuration(fmt.Sprint(value) + "s")
	if err != nil {
		return 0
	}
	return n
}

func (e *azureEngine) renew(_ context.Context, request *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	renewed := &logical.Response{Secret: request.Secret}
	renewed.Secret.TTL, renewed.Secret.MaxTTL = seconds(request.Secret.InternalData["ttl"]), seconds(request.Secret.InternalData["max_ttl"])
	return renewed, nil
}

func (e *azureEngine) revoke(_ context.Context, request *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.revoked = append(e.revoked, fmt.Sprint(request.Secret.InternalData["password"]))
	return nil, nil
}

func (e *azureEngine) listRevoked(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &logical.Response{Data: map[string]any{"passwords": append([]string{}, e.revoked...)}}, nil
}
