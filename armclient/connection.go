package armclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	armpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/policy"
	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
)

const (
	moduleName    = "armclient"
	moduleVersion = "v0.1.0"
	applicationID = "mcp-partner"
)

// connection is a pipeline and what is needed to put a request on it.
type connection struct {
	pipeline runtime.Pipeline
	endpoint string
	retry    policy.RetryOptions
}

// connect makes the pipeline without an arm.Client, which compiles a regular
// expression each time: 4 % of the processor time of an audit.
func connect(cred azcore.TokenCredential, o Options, endpoint *url.URL) (*connection, error) {
	pipeline, err := armruntime.NewPipeline(moduleName, moduleVersion, tokenSource{cred}, runtime.PipelineOptions{}, pipelineOptions(o, endpoint))
	if err != nil {
		return nil, invalid("azcore rejects the ARM endpoint and audience.")
	}
	return &connection{pipeline: pipeline, endpoint: o.Endpoint, retry: readRetry(o)}, nil
}

func pipelineOptions(o Options, endpoint *url.URL) *armpolicy.ClientOptions {
	return &armpolicy.ClientOptions{
		DisableRPRegistration: true, // it would POST to .../register on a 409
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: o.Endpoint, Audience: o.Audience},
			}},
			Logging:          policy.LogOptions{IncludeBody: false},
			Telemetry:        policy.TelemetryOptions{ApplicationID: applicationID},
			Transport:        newStrict(o),
			PerRetryPolicies: []policy.Policy{newGate(o, endpoint), pacing{o.Clock}},
		},
	}
}

// read sends a GET and returns the answer if it is a 200.
func (c *connection) read(ctx context.Context, path, version string) (*http.Response, error) {
	return c.send(policy.WithRetryOptions(ctx, c.retry), readTime, http.MethodGet, path, version)
}

// linkTo reads the link of the calling identity if it is to that partner.
func (c *connection) linkTo(ctx context.Context, id partnerid.ID) (*linkProperties, error) {
	path, err := partnerPath(id)
	if err != nil {
		return nil, err
	}
	return linkOf(c.read(ctx, path, schemas.APIVersion))
}

// write sends a PUT, PATCH or DELETE, once, with a permit for the gate to spend.
func (c *connection) write(ctx context.Context, permit guard.Permit, method string, id partnerid.ID) (*record, error) {
	ctx, r := withRecord(ctx)
	r.permit = permit
	path, err := partnerPath(id)
	if err != nil {
		return r, err
	}
	resp, err := c.send(policy.WithRetryOptions(ctx, noRetry()), writeTime, method, path, schemas.APIVersion)
	if err == nil && method != http.MethodDelete { // to which the provider sends no body
		_, err = linkOf(resp, err)
	}
	return r, err
}

// partnerPath lets nothing but digits into a path.
func partnerPath(id partnerid.ID) (string, error) {
	id, err := partnerid.Parse("partner_id", string(id))
	return schemas.PathPartners + "/" + string(id), err
}

// send returns a 200 with its body downloaded, or a *problems.Problem.
func (c *connection) send(ctx context.Context, limit time.Duration, method, path, version string) (*http.Response, error) {
	ctx, cancel := withDeadline(ctx, limit)
	defer cancel()
	req, err := c.request(ctx, method, path, version)
	if err != nil {
		return nil, failed(ctx, err)
	}
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return nil, failed(ctx, err)
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return nil, rejected(ctx, resp)
	}
	return resp, nil
}

// request builds a request for a path below the endpoint, or for an absolute
// URL. Headers that a caller put into the context are dropped: azcore would set
// them after the gate.
func (c *connection) request(ctx context.Context, method, path, version string) (*policy.Request, error) {
	target := path
	if strings.HasPrefix(path, "/") {
		target = runtime.JoinPaths(c.endpoint, path)
	}
	req, err := runtime.NewRequest(policy.WithHTTPHeader(ctx, http.Header{}), method, target)
	if err != nil {
		return nil, err
	}
	if version != "" {
		req.Raw().URL.RawQuery = versionQuery(version)
	}
	req.Raw().Header["Accept"] = []string{"application/json"}
	return req, nil
}

func versionQuery(version string) string { return url.Values{"api-version": {version}}.Encode() }
