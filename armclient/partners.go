package armclient

import (
	"context"
	"net/http"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

const apiVersion = schemas.APIVersion

// PartnersClient is the operation group Partners of the provider's published
// specification.
type PartnersClient struct{ internal *connection }

// PartnersClientGetOptions has the optional parameters of PartnersClient.Get.
type PartnersClientGetOptions struct {
	// Once sends one request and gives its answer back, also one that asks to
	// wait: whoever asks many tenants has better things to do meanwhile.
	Once bool
}

// PartnersClientGetResponse is the answer of PartnersClient.Get.
type PartnersClientGetResponse struct{ PartnerResponse }

// Get reads the link of the calling identity, whichever partner it is to.
func (c *PartnersClient) Get(ctx context.Context, options *PartnersClientGetOptions) (PartnersClientGetResponse, error) {
	read := c.internal.read
	if options != nil && options.Once {
		read = c.internal.readOnce
	}
	resp, err := read(ctx, schemas.PathPartners, apiVersion)
	if err != nil {
		return PartnersClientGetResponse{}, err
	}
	partner, err := decodePartner(resp)
	return PartnersClientGetResponse{partner}, err
}

// PartnerClient is the operation group Partner of the provider's published
// specification. Its writing methods take the permit that the gate spends.
type PartnerClient struct{ internal *connection }

// PartnerClientGetOptions has the optional parameters of PartnerClient.Get;
// there are none.
type PartnerClientGetOptions struct{}

// PartnerClientCreateOptions has the optional parameters of
// PartnerClient.Create; there are none.
type PartnerClientCreateOptions struct{}

// PartnerClientUpdateOptions has the optional parameters of
// PartnerClient.Update; there are none.
type PartnerClientUpdateOptions struct{}

// PartnerClientDeleteOptions has the optional parameters of
// PartnerClient.Delete; there are none.
type PartnerClientDeleteOptions struct{}

// PartnerClientGetResponse is the answer of PartnerClient.Get.
type PartnerClientGetResponse struct{ PartnerResponse }

// PartnerClientCreateResponse is the answer of PartnerClient.Create.
type PartnerClientCreateResponse struct{ PartnerResponse }

// PartnerClientUpdateResponse is the answer of PartnerClient.Update.
type PartnerClientUpdateResponse struct{ PartnerResponse }

// PartnerClientDeleteResponse is the answer of PartnerClient.Delete: the
// provider sends no body.
type PartnerClientDeleteResponse struct{}

// Get reads the link of the calling identity if it is to that partner.
func (c *PartnerClient) Get(ctx context.Context, partnerID string, _ *PartnerClientGetOptions) (PartnerClientGetResponse, error) {
	path, err := partnerPath(partnerID)
	if err != nil {
		return PartnerClientGetResponse{}, err
	}
	resp, err := c.internal.read(ctx, path, apiVersion)
	if err != nil {
		return PartnerClientGetResponse{}, err
	}
	partner, err := decodePartner(resp)
	return PartnerClientGetResponse{partner}, err
}

// Create makes a link where there is none; over a live link the provider
// answers Conflict.
func (c *PartnerClient) Create(ctx context.Context, permit guard.Permit, partnerID string, _ *PartnerClientCreateOptions) (PartnerClientCreateResponse, error) {
	resp, err := c.internal.write(ctx, permit, http.MethodPut, partnerID)
	if err != nil {
		return PartnerClientCreateResponse{}, err
	}
	partner, err := decodePartner(resp)
	return PartnerClientCreateResponse{partner}, err
}

// Update moves an existing link to partnerID, the new ID.
func (c *PartnerClient) Update(ctx context.Context, permit guard.Permit, partnerID string, _ *PartnerClientUpdateOptions) (PartnerClientUpdateResponse, error) {
	resp, err := c.internal.write(ctx, permit, http.MethodPatch, partnerID)
	if err != nil {
		return PartnerClientUpdateResponse{}, err
	}
	partner, err := decodePartner(resp)
	return PartnerClientUpdateResponse{partner}, err
}

// Delete removes the link to partnerID; the provider keeps a tombstone.
func (c *PartnerClient) Delete(ctx context.Context, permit guard.Permit, partnerID string, _ *PartnerClientDeleteOptions) (PartnerClientDeleteResponse, error) {
	_, err := c.internal.write(ctx, permit, http.MethodDelete, partnerID)
	return PartnerClientDeleteResponse{}, err
}

// partnerPath lets nothing but digits into a path.
func partnerPath(partnerID string) (string, error) {
	id, err := schemas.ParsePartnerID("partner_id", partnerID)
	if err != nil {
		return "", err
	}
	return schemas.PathPartners + "/" + string(id), nil
}
