package httpclient

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

func TestPrivateHostsAreRecognized(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "a.localhost": true, "127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true,
		"100.64.0.1": true, "0.0.0.0": true, "0.1.2.3": true, "240.0.0.1": true, "255.255.255.255": true, "224.0.0.1": true, "198.18.0.1": true,
		"::1": true, "::": true, "fe80::1": true, "fc00::1": true, "::ffff:10.0.0.1": true, "64:ff9b::a00:1": true, "2002:a00:1::": true, "ff02::1": true, "fec0::1": true,
		"8.8.8.8": false, "hooks.example": false, "2606:4700::1111": false, "172.32.0.1": false, "100.128.0.1": false,
	} {
		if got := IsPrivate(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

// The address is checked where the connection is made: a name that leads to a
// private one is refused, and nothing arrives.
func TestPublicOnlyRefusesNameThatLeadsToPrivateAddress(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	at, _ := url.Parse(server.URL)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		client, err := New(Options{PublicOnly: true, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get("http://" + host + ":" + at.Port()); !errors.Is(err, ErrPrivate) || asked {
			t.Errorf("%s: %v, asked %v", host, err, asked)
		}
	}
}

// A proxy is where its operator put it, also with a private address.
func TestPublicOnlyLetsProxyBePrivate(t *testing.T) {
	t.Parallel()
	connects := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		connects <- request.Method + " " + request.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	client, err := New(Options{PublicOnly: true, Getenv: func(name string) string { return map[string]string{"HTTPS_PROXY": proxy.URL}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Get("https://hooks.example/a")
	if problem, ok := errors.AsType[*ProxyError](err); !ok || <-connects != "CONNECT hooks.example:443" {
		t.Errorf("%v, %v", err, problem)
	}
}

// What an operator allows is reached, and nothing beside it.
func TestAllowPrivateOpensItsPrefixesAlone(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for prefix, open := range map[string]bool{"127.0.0.0/8": true, "127.0.0.1/32": true, "10.0.0.0/8": false, "127.0.0.2/32": false} {
		client, err := New(Options{PublicOnly: true, AllowPrivate: []netip.Prefix{netip.MustParsePrefix(prefix)}, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(server.URL); (err == nil) != open || !open && !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	for host, private := range map[string]bool{"localhost": false, "127.0.0.1": false, "::ffff:127.0.0.1": false, "127.0.0.2": true, "10.0.0.1": true} {
		if IsPrivate(host, netip.MustParsePrefix("127.0.0.1/32")) != private {
			t.Error(host)
		}
	}
}

// A proxy is not asked for a host that would be refused without it.
func TestPublicOnlyAsksNoProxyForPrivateHosts(t *testing.T) {
	t.Parallel()
	asked := false
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	// One that NO_PROXY exempts is dialled, and is not the proxy for having its host.
	environ := map[string]string{"HTTPS_PROXY": proxy.URL, "NO_PROXY": "exempt.example"}
	client, err := New(Options{PublicOnly: true, Getenv: func(name string) string { return environ[name] }})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"10.0.0.1", "169.254.169.254", "[fe80::1]", "127.0.0.1:1", "127.0.0.1:" + at.Port(), "localhost"} {
		if _, err := client.Get("https://" + host + "/"); !errors.Is(err, ErrPrivate) || asked {
			t.Errorf("%s: %v, asked %v", host, err, asked)
		}
	}
}
