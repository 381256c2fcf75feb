package armclient

// PartnerResponse is the provider's answer about one link, read tolerantly:
// what is missing or cannot be understood is nil.
type PartnerResponse struct {
	// Etag rises together with Properties.Version.
	Etag *int64
	// ID comes in lower case and may lack its last segment.
	ID, Name, Type *string
	Properties     *PartnerProperties
}

// PartnerProperties are the properties of a link.
type PartnerProperties struct {
	PartnerID   *string
	PartnerName *string // untrusted text, as it came
	TenantID    *string
	ObjectID    *string
	// Version rises by one with every write, deletion included.
	Version *int64
	// CreatedTime and UpdatedTime are RFC 3339 in UTC. CreatedTime survives a
	// deletion and a new link.
	CreatedTime *string
	UpdatedTime *string
	State       *ManagementPartnerState
}

// ManagementPartnerState is the provider's word for the state of a link. The
// list is open.
type ManagementPartnerState string

// The states that the provider's published specification knows.
const (
	ManagementPartnerStateActive  ManagementPartnerState = "Active"
	ManagementPartnerStateDeleted ManagementPartnerState = "Deleted"
)

// OperationList is one page of the provider's operations.
type OperationList struct {
	NextLink *string              `json:"nextLink"`
	Value    []*OperationResponse `json:"value"`
}

// OperationResponse is one operation of the provider.
type OperationResponse struct {
	Name    *string           `json:"name"`
	Display *OperationDisplay `json:"display"`
	Origin  *string           `json:"origin"`
}

// OperationDisplay is how an operation is shown; untrusted text.
type OperationDisplay struct {
	Provider    *string `json:"provider"`
	Resource    *string `json:"resource"`
	Operation   *string `json:"operation"`
	Description *string `json:"description"`
}

// TenantListResult is one page of the tenants that an identity reaches.
type TenantListResult struct {
	NextLink *string                `json:"nextLink"`
	Value    []*TenantIDDescription `json:"value"`
}

// TenantIDDescription is one tenant; names and domains are untrusted text.
type TenantIDDescription struct {
	ID             *string   `json:"id"`
	TenantID       *string   `json:"tenantId"`
	DisplayName    *string   `json:"displayName"`
	DefaultDomain  *string   `json:"defaultDomain"`
	Domains        []*string `json:"domains"`
	CountryCode    *string   `json:"countryCode"`
	TenantCategory *string   `json:"tenantCategory"`
	TenantType     *string   `json:"tenantType"`
}
