package simulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	if !strings.HasPrefix(w.srv.URL(), "https://127.0.0.1:") || w.srv.Authority() != w.srv.URL()+"/" || w.sim.Audience() == "" {
		t.Errorf("URL %s, authority %s, audience %q", w.srv.URL(), w.srv.Authority(), w.sim.Audience())
	}
	u, err := url.Parse(w.srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	got := w.do("GET", "https://localhost:"+u.Port()+"/", "")
	if got.status != 401 {
		t.Errorf("by the name localhost: %d", got.status)
	}
}

func TestServerOnAllAddresses(t *testing.T) {
	t.Parallel()
	srv, err := newSim(t, simulator.Config{}).Start(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if !strings.HasPrefix(srv.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", srv.URL())
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	block, _ := pem.Decode(w.srv.CAPEM())
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || ca.IsCA || ca.PublicKeyAlgorithm != x509.ECDSA {
		t.Fatalf("a certificate that can vouch for others: %+v, %v", ca, err)
	}
	for _, proto := range []string{"h2", "http/1.1"} {
		pool := x509.NewCertPool()
		pool.AddCert(ca)
		conn, err := tls.Dial("tcp", strings.TrimPrefix(w.srv.URL(), "https://"), &tls.Config{RootCAs: pool, NextProtos: []string{proto}})
		if err != nil {
			t.Fatal(err)
		}
		state := conn.ConnectionState()
		_ = conn.Close()
		if state.NegotiatedProtocol != proto {
			t.Errorf("negotiated %q, want %q", state.NegotiatedProtocol, proto)
		}
		for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
			if err := state.PeerCertificates[0].VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := http.Get(w.srv.URL()); err == nil {
		t.Error("a client that does not know the certificate trusts the server")
	}
}

// TestCloseReleases closes a server, and cancels the context of another, with
// a slow write on the way.
func TestCloseReleases(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"close", "context"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			// The clock is read once for every request that arrives.
			arrived := make(chan struct{}, 16)
			now := func() time.Time { arrived <- struct{}{}; return time.Now() }
			sim := newSim(t, simulator.Config{LinkedPercent: 100, Now: now})
			srv, err := sim.Start(ctx, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			w := &wire{t: t, sim: sim, srv: srv, hc: client(t, srv, true)}
			bearer := w.signIn("contoso.example")
			drain(arrived)
			sim.Inject(simulator.Rule{Kind: simulator.FaultSlowWrite, Delay: time.Hour})
			failed := make(chan error, 1)
			go func() {
				_, err := w.try("PATCH", partnersPath+"/7654321"+version, bearer)
				failed <- err
			}()
			<-arrived
			if how == "close" {
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
			} else {
				cancel()
			}
			if err := <-failed; err == nil {
				t.Error("the held request was answered")
			}
			if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(srv.URL(), "https://"), time.Second); err == nil {
				_ = conn.Close()
				t.Error("the listener is still open")
			}
		})
	}
}

func drain(c chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	w := serve(t, simulator.Config{})
	for _, addr := range []string{"nowhere", strings.TrimPrefix(w.srv.URL(), "https://")} {
		if srv, err := w.sim.Start(t.Context(), addr); err == nil {
			_ = srv.Close()
			t.Errorf("listens on %s", addr)
		}
	}
}

// FuzzHandler sends any method, path and bearer. Whatever comes, the answer is
// a status that the contract knows, and without a valid token nothing but a
// 401 comes from ARM.
func FuzzHandler(f *testing.F) {
	sim := newSim(f, simulator.Config{Tenants: 2, JournalLimit: 4})
	token, err := sim.Token("contoso", "")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{partnersPath + version, partnersPath + "/1234567" + version, operationsPath + version + "&$skiptoken=page-1", "/tenants", "/contoso.example/oauth2/v2.0/token", "//", "/%2f?%"} {
		f.Add("GET", path, "", true)
		f.Add("DELETE", path, "a.b.c", false)
	}
	f.Fuzz(func(t *testing.T, method, path, bearer string, valid bool) {
		u, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/"))
		if err != nil || method == "" {
			return
		}
		if valid {
			bearer = token
		}
		req := &http.Request{Method: method, URL: u, Host: "localhost", Header: http.Header{"Authorization": {"Bearer " + bearer}}, Body: http.NoBody}
		res := httptest.NewRecorder()
		sim.Handler().ServeHTTP(res, req.WithContext(t.Context()))
		switch res.Code {
		case 200, 400, 401, 404, 405, 409, 429:
		default:
			t.Errorf("%s %q: status %d", method, path, res.Code)
		}
		rec := sim.Journal()
		if last := rec[len(rec)-1]; !valid && last.Written {
			t.Errorf("%s %q was written without a token", method, path)
		}
	})
}

func BenchmarkNew5000(b *testing.B) {
	for b.Loop() {
		newSim(b, simulator.Config{Tenants: 5000})
	}
}

func BenchmarkGetPartners(b *testing.B) {
	sim := newSim(b, simulator.Config{LinkedPercent: 100, JournalLimit: 1000, Throttle: simulator.Throttle{Reads: simulator.Bucket{Size: 1 << 30, PerSecond: 1e6}}})
	token, err := sim.Token("contoso", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("handler", func(b *testing.B) {
		req := httptest.NewRequest("GET", partnersPath+version, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		h := sim.Handler()
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(httptest.NewRecorder(), req)
		}
	})
	b.Run("wire", func(b *testing.B) {
		srv, err := sim.Start(b.Context(), "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer srv.Close()
		hc := client(b, srv, true)
		req, err := http.NewRequest("GET", srv.URL()+partnersPath+version, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		for b.Loop() {
			if got, err := read(hc.Do(req)); err != nil || got.status != 200 {
				b.Fatal(got, err)
			}
		}
	})
}
