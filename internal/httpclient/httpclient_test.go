package httpclient

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func newServer(t *testing.T, handler http.HandlerFunc) (*httptest.Server, []byte) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func TestSpeaksHTTP2AndTrustsOnlyTheBundle(t *testing.T) {
	t.Parallel()
	server, ca := newServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	client, err := New(Options{CAPEM: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "HTTP/2.0" {
		t.Errorf("protocol is %s, want HTTP/2.0", body)
	}
	system, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if response, err := system.Get(server.URL); err == nil {
		response.Body.Close()
		t.Error("a client with the system's roots trusts the test server")
	}
}

func TestFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	server, ca := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			landed.Add(1)
			return
		}
		http.Redirect(w, r, "/next", http.StatusTemporaryRedirect)
	})
	client, err := New(Options{CAPEM: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Post(server.URL, "text/plain", strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect || landed.Load() != 0 {
		t.Errorf("status %d, %d requests at the redirect's target; want 307 and none", response.StatusCode, landed.Load())
	}
}

func TestRefusesOldTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := New(Options{CAPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})})
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Get(server.URL); err == nil {
		response.Body.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestHeaderTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, ca := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	client, err := New(Options{CAPEM: ca, HeaderTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	if response, err := client.Get(server.URL); err == nil {
		response.Body.Close()
		t.Error("a silent server was waited for without bound")
	}
}

func TestPoolSharesClientsByBundle(t *testing.T) {
	t.Parallel()
	_, ca := newServer(t, http.NotFound)
	pool := NewPool(Options{})
	t.Cleanup(pool.CloseIdle)
	first, err := pool.Client(ca)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := pool.Client(append([]byte(nil), ca...))
	system, _ := pool.Client(nil)
	if first != again || first == system {
		t.Error("want one client for each bundle")
	}
	if _, err := pool.Client([]byte("no certificate")); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("error %v, want ErrNoCertificate", err)
	}
}
