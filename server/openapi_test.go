package server_test

import (
	"bytes"
	"net/http"
	"testing"

	"mcp-partner/schemas"
)

// The contract is for everybody who may reach the server at all.
func TestHTTPOpenAPI(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	ask := func(method, host, origin string) (int, []byte, http.Header) {
		r, err := http.NewRequest(method, "http://"+c.Addr+"/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		got := c.Do(r)
		return got.Status, []byte(got.Body), got.Header
	}
	status, body, header := ask("GET", "", "")
	if status != 200 || !bytes.Equal(body, schemas.OpenAPI()) || header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v, %d bytes", status, header, len(body))
	}
	if status, body, _ := ask("HEAD", "", ""); status != 200 || len(body) != 0 {
		t.Errorf("HEAD: %d, %d bytes", status, len(body))
	}
	if status, _, header := ask("POST", "", ""); status != 405 || header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", status, header)
	}
	if status, body, _ := ask("GET", "evil.example", ""); status != 403 || bytes.Contains(body, []byte("ManagementPartner")) {
		t.Errorf("foreign host: %d", status)
	}
}
