package server

import (
	"net/http"

	"mcp-partner/schemas"
)

const openAPIPath = "/openapi.json"

// serveOpenAPI answers with the provider's wire contract. It is the same for
// everybody and holds nothing of this server, so it takes no bearer; the Host
// and Origin checks stand as before everything else.
func (t *httpTransport) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(http.StatusMethodNotAllowed, "Use GET.").with("Allow", "GET, HEAD").write(w)
		return
	}
	for _, gate := range []func(*http.Request) *refusal{t.checkHost, t.checkOrigin} {
		if no := gate(r); no != nil {
			no.write(w)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(schemas.OpenAPI()) // a client that left needs no answer
}
