package simulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/simulator"
)

const (
	partnersPath   = "/providers/Microsoft.ManagementPartner/partners"
	operationsPath = "/providers/Microsoft.ManagementPartner/operations"
	version        = "?api-version=2018-02-01"
)

func newClock() *testkit.Clock {
	return testkit.NewClock(time.Date(2026, 1, 16, 13, 50, 0, 318186000, time.UTC))
}

// wire is a simulator behind its real TLS listener, with a client.
type wire struct {
	t   *testing.T
	sim *simulator.Simulator
	srv *simulator.Server
	hc  *http.Client
}

func serve(t *testing.T, cfg simulator.Config) *wire {
	t.Helper()
	sim := newSim(t, cfg)
	srv, err := sim.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return &wire{t: t, sim: sim, srv: srv, hc: client(t, srv, true)}
}

func newSim(t testing.TB, cfg simulator.Config) *simulator.Simulator {
	t.Helper()
	sim, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func client(t testing.TB, srv *simulator.Server, http2 bool) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(srv.CAPEM()) {
		t.Fatal("CAPEM holds no certificate")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (w *wire) try(method, url, bearer string) (reply, error) {
	return w.tryContext(w.t.Context(), method, url, bearer)
}

func (w *wire) tryContext(ctx context.Context, method, url, bearer string) (reply, error) {
	if strings.HasPrefix(url, "/") {
		url = w.srv.URL() + url
	}
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return reply{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return read(w.hc.Do(req))
}

func read(res *http.Response, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

func (w *wire) do(method, url, bearer string) reply {
	w.t.Helper()
	r, err := w.try(method, url, bearer)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// partner sends a request for one partner ID.
func (w *wire) partner(method, id, bearer string) reply {
	w.t.Helper()
	return w.do(method, partnersPath+"/"+id+version, bearer)
}

func (w *wire) check(bearer string) reply {
	w.t.Helper()
	return w.do("GET", partnersPath+version, bearer)
}

// form is a token request that is right in every field.
func (w *wire) form() url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {w.sim.ClientID()}, "client_secret": {w.sim.ClientSecret()},
		"scope": {w.sim.Audience() + "/.default"},
	}
}

func (w *wire) requestToken(tenant string, form url.Values) reply {
	w.t.Helper()
	r, err := read(w.hc.PostForm(w.srv.Authority()+tenant+"/oauth2/v2.0/token", form))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// signIn gets a token over the wire.
func (w *wire) signIn(tenant string) string {
	w.t.Helper()
	r := w.requestToken(tenant, w.form())
	if r.status != 200 {
		w.t.Fatalf("token for %s: %d %s", tenant, r.status, r.body)
	}
	return r.json(w.t)["access_token"].(string)
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%q is not JSON: %v", r.body, err)
	}
	return v
}

// code reads the error's code from either shape.
func (r reply) code() string {
	var v struct {
		Code  string
		Error struct{ Code string }
	}
	if json.Unmarshal([]byte(r.body), &v) != nil {
		return ""
	}
	if v.Error.Code != "" {
		return v.Error.Code
	}
	return v.Code
}

func (r reply) property(t testing.TB, name string) any {
	t.Helper()
	p, ok := r.json(t)["properties"].(map[string]any)
	if !ok {
		t.Fatalf("%q has no properties", r.body)
	}
	return p[name]
}

func (w *wire) last() simulator.Record {
	w.t.Helper()
	j := w.sim.Journal()
	if len(j) == 0 {
		w.t.Fatal("the journal is empty")
	}
	return j[len(j)-1]
}

func (w *wire) tenant(name string) simulator.Tenant {
	w.t.Helper()
	tenant, ok := w.sim.Tenant(name)
	if !ok {
		w.t.Fatalf("no tenant %s", name)
	}
	return tenant
}

// set brings a tenant into one of the three states: "", Active, Deleted.
func set(t testing.TB, s *simulator.Simulator, tenant, state string) {
	t.Helper()
	err := s.ClearLink(tenant)
	switch state {
	case simulator.StateActive:
		err = errors.Join(err, s.SetLink(tenant, "1234567"))
	case simulator.StateDeleted:
		err = errors.Join(err, s.Tombstone(tenant))
	}
	if err != nil {
		t.Fatal(err)
	}
}
