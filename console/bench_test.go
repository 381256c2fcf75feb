package console_test

import (
	"net/http"
	"testing"

	"mcp-partner/guard"
)

// mostBytes is how large a page of 400 customers may be.
const mostBytes = 200_000

func TestFourHundredCustomersFitIntoAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 400, guard.Options{})
	r.audited()
	b := r.browser("reader")
	for _, path := range []string{"/console/", "/console/customers", "/console/audits", "/console/record"} {
		shown := b.get(path)
		shown.wantPage(t, http.StatusOK)
		t.Logf("%s: %d bytes", path, len(shown.text))
		if len(shown.text) > mostBytes {
			t.Errorf("%s has %d bytes, over %d", path, len(shown.text), mostBytes)
		}
	}
}

// BenchmarkPage is the time of the server and of a local TLS connection for a page over
// 400 customers.
func BenchmarkPage(b *testing.B) {
	r := newRig(b, 400, guard.Options{})
	r.audited()
	reader := r.browser("reader")
	for name, path := range map[string]string{"overview": "/console/", "customers": "/console/customers", "customer": "/console/customers/contoso"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reader.get(path)
			}
		})
	}
}
