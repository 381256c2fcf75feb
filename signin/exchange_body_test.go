package signin

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"mcp-partner/tenants"
)

// A redirect that comes before the request was read makes net/http ask for the
// body anew while the transport still reads it. Under the race detector this
// test fails if both get the same reader.
func TestEarlyRedirectDoesNotRaceWithBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://elsewhere.invalid/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 40 {
				signInOnce(t, client, server.URL)
			}
		})
	}
	wg.Wait()
}

func signInOnce(t *testing.T, client *http.Client, authority string) {
	x := newExchange(client, target{tenantID: "t", cloud: tenants.Cloud{Authority: authority}})
	request, err := runtime.NewRequest(context.Background(), http.MethodPost, x.tokenURL)
	if err != nil {
		t.Error(err)
		return
	}
	body := streaming.NopCloser(bytes.NewReader(make([]byte, 64<<10)))
	if err := request.SetBody(body, "application/x-www-form-urlencoded"); err != nil {
		t.Error(err)
		return
	}
	response, err := x.Do(request.Raw())
	if err != nil {
		return // the server may close the stream that it does not read
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}
