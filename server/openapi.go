package server

import (
	"net/http"

	"mcp-partner/schemas"
)

const openAPIPath = "/openapi.json"

// serveOpenAPI answers with the provider's wire contract. It is the same for
// everybody and holds nothing of this server, so it takes no bearer.
func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if no := checkReading(r); no != nil {
		no.write(w)
		return
	}
	beginAnswer(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(schemas.OpenAPI()) // a client that left needs no answer
}
