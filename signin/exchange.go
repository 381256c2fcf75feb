package signin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"mcp-partner/internal/sealed"
)

const (
	maxTokenAnswer  = 1 << 20
	discoverySuffix = "/.well-known/openid-configuration"
	instancePath    = "/common/discovery/instance"
)

// errStrayRequest means that the identity SDK wanted to send something
// elsewhere than the directory entry says, for example because an environment
// variable names a regional authority.
var errStrayRequest = errors.New("a request to an address other than the directory entry names was stopped")

// exchange carries one sign-in. It is the SDK's transport, and so the place
// where two rules are kept: the secret goes to the token endpoint of the
// entry's authority and nowhere else, and what is kept of an answer is its
// status and, unless it is a token, its body. The SDK's errors, which hold the
// request, need not be looked at.
type exchange struct {
	sealed.Unprintable
	client   *http.Client
	base     string // authority and tenant, without a trailing slash
	tokenURL string
	// also names what else may be asked, nil for nothing: the endpoint of a
	// managed identity, or the one that begins a person's sign-in.
	also func(*http.Request) bool
	// machine carries what also lets through, if it is not nil.
	machine *http.Client

	mu      sync.Mutex
	tries   int
	host    string // of the last request
	failure error
	status  int
	header  http.Header
	body    []byte
}

func newExchange(client *http.Client, t target) *exchange {
	base := t.cloud.Authority + "/" + t.tenantID
	return &exchange{client: client, base: base, tokenURL: base + "/oauth2/v2.0/token"}
}

func (x *exchange) Do(request *http.Request) (*http.Response, error) {
	client := x.client
	switch {
	case request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, discoverySuffix):
		return x.discovery(request), nil
	case request.Method == http.MethodGet && request.URL.Scheme == "https" && request.URL.Path == instancePath:
	case request.Method == http.MethodPost && request.URL.String() == x.tokenURL:
	case x.also != nil && x.also(request):
		client = cmp.Or(x.machine, x.client)
	default:
		return x.note(request.URL.Host, nil, errStrayRequest)
	}
	own, err := detached(request)
	if err != nil {
		return x.note(request.URL.Host, nil, err)
	}
	response, err := client.Do(own)
	return x.note(request.URL.Host, response, err)
}

// detached copies a request with a body of its own. azcore's GetBody rewinds
// the very reader that the transport may still be reading, which net/http does
// when an answer, such as a redirect, comes before the request was sent.
func detached(request *http.Request) (*http.Request, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return request, nil
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	own := request.Clone(request.Context())
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	own.Body, err = own.GetBody()
	return own, err
}

// CloseIdleConnections is what MSAL wants of an HTTP client beside Do.
func (x *exchange) CloseIdleConnections() {}

// discovery answers the request for the authority's OpenID configuration from
// what the entry says. The forms of the URLs are documented and the same in all
// clouds; asking would cost a third of the requests of a run and would let the
// answer say where the secret is sent.
func (x *exchange) discovery(request *http.Request) *http.Response {
	document, _ := json.Marshal(map[string]string{ // fails for no text
		"token_endpoint":         x.tokenURL,
		"authorization_endpoint": x.base + "/oauth2/v2.0/authorize",
		"issuer":                 x.base + "/v2.0",
		// MSAL goes to this one for a person's code.
		"device_authorization_endpoint": x.base + deviceCodePath,
	})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(document)), Body: io.NopCloser(bytes.NewReader(document)), Request: request,
	}
}

// note keeps what is needed to say why a sign-in failed, and bounds the answer.
func (x *exchange) note(host string, response *http.Response, err error) (*http.Response, error) {
	var body []byte
	if err == nil {
		body, err = readAnswer(response)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tries++
	x.host, x.failure, x.status, x.header, x.body = host, err, 0, nil, nil
	if err != nil {
		return nil, err
	}
	x.status, x.header = response.StatusCode, response.Header
	if response.StatusCode != http.StatusOK {
		x.body = body
	}
	return response, nil
}

func readAnswer(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswer))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}
