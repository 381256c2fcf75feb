package httpclient

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// environment answers as os.Getenv would.
func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func clientWith(t *testing.T, pairs map[string]string, ca []byte) *http.Client {
	t.Helper()
	client, err := New(Options{CAPEM: ca, Getenv: environment(pairs)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// get asks a host that is not this machine, which is exempt from proxies.
func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func TestMalformedProxyIsNeverBypassed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"slash in the password":   "http://user:p@ss/word@127.0.0.1:3128",
		"hash in the password":    "http://user:p#ss@127.0.0.1:3128",
		"question mark":           "http://user:p?ss@127.0.0.1:3128",
		"Windows domain":          `http://corp\user:pw@127.0.0.1:3128`,
		"percent":                 "http://user:p%ss@127.0.0.1:3128",
		"blank":                   " ",
		"space":                   "http://user:p ss@127.0.0.1:3128",
		"no host":                 "http://",
		"no host but a port":      "http://:3128",
		"another scheme":          "ftp://127.0.0.1:3128",
		"port that is none":       "http://127.0.0.1:port",
		"port out of range":       "http://127.0.0.1:70000",
		"path":                    "http://127.0.0.1:3128/proxy",
		"half an address":         "http://[::1",
		"two addresses":           "http://127.0.0.1:1,http://127.0.0.1:2",
		"address of three pieces": "127.0.0.1:3128:1",
	} {
		for _, variable := range []string{"HTTPS_PROXY", "https_proxy"} {
			err := get(clientWith(t, map[string]string{variable: value}, nil), "https://login.invalid/")
			var proxy *ProxyError
			if !errors.As(err, &proxy) || proxy.Variable != variable || proxy.Host != "" || !strings.Contains(proxy.Next, "percent-encoded") {
				t.Errorf("%s: %v", name, err)
			}
			if text := err.Error(); strings.Contains(text, "ss") && strings.Contains(text, "user:") {
				t.Errorf("%s: the error shows the password: %s", name, text)
			}
		}
	}
}

func TestProxySettingsAreParsed(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"http://127.0.0.1:3128", "127.0.0.1:3128", "user:pw@127.0.0.1:3128", "http://user:p@ss@127.0.0.1:3128",
		"http://user:p%40ss%2Fword@127.0.0.1:3128/", "https://proxy.example", "socks5://127.0.0.1:1080", "http://[::1]:3128",
	} {
		if proxy := ProxyFromEnvironment(environment(map[string]string{"HTTPS_PROXY": value})); proxy.Err != nil || proxy.URL == nil {
			t.Errorf("%s: %v", value, proxy.Err)
		}
	}
}

func TestNoProxyExempts(t *testing.T) {
	t.Parallel()
	proxy := ProxyFromEnvironment(environment(map[string]string{"HTTPS_PROXY": `http://corp\user@127.0.0.1:1`, "NO_PROXY": "exempt.example"}))
	for address, through := range map[string]bool{
		"https://exempt.example": false, "https://127.0.0.1": false, "https://other.example": true, "http://other.example": false,
	} {
		request := httptest.NewRequest(http.MethodGet, address, nil)
		if _, err := proxy.For(request); (err != nil) != through {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// rawProxy answers each connection with one text and closes it.
func rawProxy(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			_, _ = connection.Read(buffer)
			_, _ = io.WriteString(connection, text)
			_ = connection.Close()
		}
	}()
	return listener.Addr().String()
}

func TestProxyThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := closed.Addr().String()
	closed.Close()
	for name, test := range map[string]struct{ host, want string }{
		"dead":        {dead, "refuses the connection"},
		"no name":     {"proxy.invalid:3128", "cannot be resolved"},
		"407":         {rawProxy(t, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "status 407"},
		"403":         {rawProxy(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "does not allow connections to login.example (status 403)"},
		"502":         {rawProxy(t, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "with status 502"},
		"closed":      {rawProxy(t, ""), "closed the connection"},
		"cut":         {rawProxy(t, "HTTP/1.1 200 OK\r\n\r\n"), "opened a connection to login.example that ended before TLS began"},
		"own page":    {rawProxy(t, "HTTP/1.1 200 OK\r\n\r\n<html>sign in</html>"), "opened a connection to login.example that ended before TLS began"},
		"not a proxy": {rawProxy(t, "SSH-2.0-OpenSSH_9.2\r\n"), "gave no usable answer"},
	} {
		err := get(clientWith(t, map[string]string{"HTTPS_PROXY": "http://user:canary@" + test.host}, nil), "https://login.example/")
		var proxy *ProxyError
		if !errors.As(err, &proxy) || proxy.Host != test.host || !strings.Contains(proxy.Reason, test.want) || proxy.Next == "" {
			t.Errorf("%s: %v", name, err)
		} else if !strings.Contains(proxy.Error(), "the proxy "+test.host+" (HTTPS_PROXY)") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tunnelTo is a proxy that leads everybody to one address.
func tunnelTo(t *testing.T, address string) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		there, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		go func() { _, _ = io.Copy(there, buffered) }()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

// What fails behind a proxy that works is not the proxy's fault.
func TestHostErrorBehindProxyIsNotProxyError(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, http.NotFound)
	err := get(clientWith(t, map[string]string{"HTTPS_PROXY": "http://" + tunnelTo(t, server.Listener.Addr().String())}, nil), "https://login.example/")
	var proxy *ProxyError
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || certificate == nil || errors.As(err, &proxy) {
		t.Errorf("%v", err)
	}
}

func TestCAFilesFailClosed(t *testing.T) {
	t.Parallel()
	_, ca := newServer(t, http.NotFound)
	for name, content := range map[string]string{
		"empty": "", "blank": " \n\t", "words": "no certificate", "key": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
		"damaged": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
	} {
		if err := CheckCA([]byte(content)); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckCA(ca); err != nil {
		t.Error(err)
	}
}
