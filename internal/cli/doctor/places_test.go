package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/httpclient"
	"mcp-partner/tenants"
)

func TestClockIsCompared(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ended := began.Add(2 * time.Second)
	for date, want := range map[string]string{
		"Wed, 25 Nov 2026 12:00:01 GMT": checkOK,
		"Wed, 25 Nov 2026 11:59:30 GMT": checkOK,
		"Wed, 25 Nov 2026 11:58:00 GMT": CheckWarn,
		"Wed, 25 Nov 2026 12:04:00 GMT": CheckWarn,
		"Wed, 25 Nov 2026 11:50:00 GMT": CheckFail,
		"Wed, 25 Nov 2026 12:06:00 GMT": CheckFail,
		"":                              CheckWarn,
		"yesterday":                     CheckWarn,
	} {
		if got := clockCheck("entra.example", date, began, ended); got.Status != want {
			t.Errorf("%q: %+v, want %s", date, got, want)
		}
	}
}

func TestDiskSpaceCheck(t *testing.T) {
	t.Parallel()
	for free, want := range map[uint64]string{1 << 30: checkOK, 100 << 20: CheckWarn, 1 << 20: CheckFail} {
		if got := judgeDisk("/state", free, nil); got.Status != want || got.Status != checkOK && got.Fix != "df -h /state" {
			t.Errorf("%d: %+v, want %s", free, got, want)
		}
	}
	if got := judgeDisk("/state", 0, errors.New("no")); got.Status != CheckWarn {
		t.Errorf("not known: %+v", got)
	}
}

// TestEndpointsAreCheckedWithoutCredential asks a server whose certificate
// is not trusted, one that is, one without TLS, and one that is gone.
func TestEndpointsAreCheckedWithoutCredential(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 8)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	trusted, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	t.Cleanup(trusted.Close)
	t.Cleanup(plain.Close)
	a := &app.App{HTTP: httpclient.NewPool(httpclient.Options{})}
	look := func(url string) []check {
		return checkEndpoints(context.Background(), a, []tenants.Entry{{Cloud: tenants.Cloud{Authority: url, ARMEndpoint: url}}})
	}
	if got := look(trusted.URL); len(got) != 1 || got[0].Status != CheckFail || !strings.Contains(got[0].Message, "does not trust") {
		t.Errorf("an unknown CA: %+v", got)
	}
	if got := look(plain.URL); len(got) != 2 || got[0].Status != CheckFail || !strings.Contains(got[0].Message, "without TLS") {
		t.Errorf("no TLS: %+v", got)
	}
	for name := range <-seen {
		if name == "Authorization" || name == "Cookie" {
			t.Errorf("%s was sent", name)
		}
	}
	plain.Close()
	if got := look(plain.URL); len(got) != 1 || got[0].Status != CheckFail || !strings.Contains(got[0].Message, "cannot be reached") {
		t.Errorf("a server that is gone: %+v", got)
	}
}
