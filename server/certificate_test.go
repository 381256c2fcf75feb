package server_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

func TestTLSPairIsReloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, tlsPairIsReloaded)
}

func tlsPairIsReloaded(t *testing.T) {
	files, book := testkit.NewPair(t), &logBook{}
	pair, err := server.LoadKeyPair(files.CertFile, files.KeyFile, slog.New(slog.NewTextHandler(book, nil)))
	if err != nil {
		t.Fatal(err)
	}
	// step changes the files and wants a name, once the interval is over.
	step := func(what, want string, change func()) {
		t.Helper()
		change()
		time.Sleep(2 * time.Second)
		shown, err := pair.Config().GetCertificate(nil)
		if err != nil || shown.Leaf.Subject.CommonName != want {
			t.Errorf("%s: shows %v, %v, want %q", what, shown.Leaf.Subject, err, want)
		}
	}
	step("as it was", "first", func() {})
	step("renewed", "second", func() { files.Renew("second", time.Now().Add(time.Hour)) })
	key, _ := os.ReadFile(files.KeyFile)
	step("garbage", "second", func() { files.Write(files.CertFile, []byte("no PEM")) })
	step("half of a new pair", "second", func() {
		files.Renew("third", time.Now().Add(time.Hour))
		fresh, _ := os.ReadFile(files.KeyFile)
		files.Write(files.KeyFile, key)
		key = fresh
	})
	step("the other half", "third", func() { files.Write(files.KeyFile, key) })
	step("expired", "third", func() { files.Renew("late", time.Now().Add(-time.Hour)) })
	step("gone", "third", func() { _ = os.Remove(files.CertFile) })
	step("back", "fourth", func() { files.Renew("fourth", time.Now().Add(time.Hour)) })
	for _, says := range []string{"do not match", "expired", "cannot be read", "reloaded"} {
		if !strings.Contains(book.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, book)
		}
	}
	if n := strings.Count(book.String(), "level=ERROR"); n != 4 {
		t.Errorf("%d errors were logged, want one for each broken pair:\n%s", n, book)
	}
}

func TestTLSPairMustBeValidAtStart(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testkit.Pair){
		"no file": func(p *testkit.Pair) { _ = os.Remove(p.KeyFile) },
		"no PEM":  func(p *testkit.Pair) { p.Write(p.CertFile, []byte("x")) },
		"expired": func(p *testkit.Pair) { p.Renew("old", time.Now().Add(-time.Minute)) },
	} {
		files := testkit.NewPair(t)
		spoil(files)
		if _, err := server.LoadKeyPair(files.CertFile, files.KeyFile, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}

// startTLS serves the fixtures with TLS.
func startTLS(t *testing.T, f *fixtures) (url string, config *tls.Config) {
	t.Helper()
	files := testkit.NewPair(t)
	pair, err := server.LoadKeyPair(files.CertFile, files.KeyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := httpOptions()
	o.TLS = pair.Config()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- newServer(f, nil).ServeListener(ctx, l, o) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return "https://" + l.Addr().String() + "/mcp", files.Trust()
}

func TestTLSCarriesCallsInBothVersionsOfHTTP(t *testing.T) {
	t.Parallel()
	url, config := startTLS(t, newFixtures())
	for version, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		for _, era := range wiretest.Eras() {
			transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: h2}
			defer transport.CloseIdleConnections()
			c := wiretest.HTTPAt(t, url, goodToken, transport)
			request := c.NewRequest(era.Request(1, "tools/call", wiretest.Object{
				"name": "notify", "arguments": wiretest.Object{"text": "0"}, "_meta": wiretest.Object{"progressToken": "0"},
			}, nil))
			answer := c.Do(request)
			if answer.Proto != version {
				t.Errorf("%s: was answered with %s", version, answer.Proto)
			}
			if err := ownStream(t, answer, "0"); err != nil {
				t.Errorf("%s %s: %v", version, era, err)
			}
		}
	}
}

func TestTLSRefusesOldVersionsAndPlainText(t *testing.T) {
	t.Parallel()
	url, config := startTLS(t, newFixtures())
	addr := strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/mcp")
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", addr, old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was taken")
	}
	if got := slow(t, addr, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 400") {
		t.Errorf("plain text got %q", got)
	}
}
