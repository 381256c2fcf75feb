package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/client"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/phrase"
	"mcp-partner/tenants"
)

const (
	// endpointLimit bounds one look at an endpoint.
	endpointLimit = 15 * time.Second
	// skewWarn and skewFail are how far this machine's clock may be off. Entra ID
	// allows five minutes for the lifetime of an assertion.
	skewWarn = time.Minute
	skewFail = 5 * time.Minute
	// diskWarn and diskFail are free bytes: a ledger that cannot grow stops writes.
	diskWarn = 200 << 20
	diskFail = 20 << 20
)

type endpoint struct{ url, ca string }

// checkEndpoints looks at each host once, without a credential: can it be
// reached, is its certificate trusted, and does its clock agree with this
// machine's?
func checkEndpoints(ctx context.Context, a *app.App, entries []tenants.Entry) []check {
	var found []endpoint
	for _, entry := range entries {
		for _, address := range []string{entry.Cloud.Authority, entry.Cloud.ARMEndpoint} {
			if e := (endpoint{address, entry.Cloud.CAPEM}); !slices.Contains(found, e) {
				found = append(found, e)
			}
		}
	}
	var checks []check
	for _, e := range found {
		checks = append(checks, checkEndpoint(ctx, a, e)...)
	}
	return checks
}

func checkEndpoint(ctx context.Context, a *app.App, e endpoint) []check {
	host := phrase.HostOf(e.url)
	client, err := a.HTTP.Client([]byte(e.ca))
	if err != nil {
		return []check{{"tls " + host, CheckFail, "The CA file of the directory entry has no readable certificate.", "mcp-partner tenants set NAME --ca-file FILE"}}
	}
	ctx, cancel := context.WithTimeout(ctx, endpointLimit)
	defer cancel()
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
	if err != nil {
		return []check{unreachable(host, err)}
	}
	response, err := client.Do(request)
	if err != nil {
		return []check{unreachable(host, err)}
	}
	defer response.Body.Close()
	return []check{tlsCheck(host, response.TLS), clockCheck(host, response.Header.Get("Date"), began, time.Now())}
}

// unreachable tells a certificate that is not trusted from a network that does
// not answer: the first is mostly a proxy that looks into TLS.
func unreachable(host string, err error) check {
	var certificate *tls.CertificateVerificationError
	if proxy, ok := errors.AsType[*httpclient.ProxyError](err); ok {
		return proxyFailed("tls "+host, proxy)
	}
	if errors.As(err, &certificate) {
		return check{"tls " + host, CheckFail,
			"This machine does not trust its certificate: an inspecting proxy, or a private cloud whose CA is missing. Nothing is sent there.",
			"mcp-partner tenants set NAME --ca-file FILE"}
	}
	return check{"tls " + host, CheckFail, "It cannot be reached: check network, name resolution and proxy.", "curl -sSI https://" + host}
}

func tlsCheck(host string, state *tls.ConnectionState) check {
	if state == nil || len(state.PeerCertificates) == 0 {
		return check{"tls " + host, CheckFail, "It answers without TLS.", "mcp-partner tenants list"}
	}
	leaf := state.PeerCertificates[0]
	return check{"tls " + host, checkOK, fmt.Sprintf("It answers over %s; its certificate is trusted, until %s.",
		tls.VersionName(state.Version), leaf.NotAfter.UTC().Format(time.DateOnly)), ""}
}

// clockCheck compares the answer's date, which has whole seconds, with this
// machine's clock while the request was under way.
func clockCheck(host, date string, began, ended time.Time) check {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return check{"clock", CheckWarn, host + " sent no date, so the clock of this machine was not compared.", ""}
	}
	var off time.Duration
	switch {
	case theirs.Before(began.Add(-time.Second)):
		off = began.Sub(theirs)
	case theirs.After(ended.Add(time.Second)):
		off = theirs.Sub(ended)
	}
	text := fmt.Sprintf("The clock of this machine and that of %s differ by %s.", host, off.Round(time.Second))
	switch {
	case off > skewFail:
		return check{"clock", CheckFail, text + " Sign-ins fail.", clockFix()}
	case off > skewWarn:
		return check{"clock", CheckWarn, text, clockFix()}
	}
	return check{"clock", checkOK, "The clock of this machine agrees with that of " + host + ".", ""}
}

func clockFix() string {
	return cmp.Or(map[string]string{
		"windows": "w32tm /resync", "darwin": "sudo sntp -sS time.apple.com",
	}[runtime.GOOS], "sudo timedatectl set-ntp true")
}

// nearest is the folder, or the one above it in which it will be made.
func nearest(dir string) string {
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func judgeDisk(dir string, free uint64, err error) check {
	switch {
	case err != nil:
		return check{"disk", CheckWarn, "The free space of the state directory is unknown.", ""}
	case free < diskFail:
		return check{"disk", CheckFail, fmt.Sprintf("The state directory has %d MB free. Without space for the ledger nothing is written to Azure.", free>>20), "df -h " + phrase.ShellWord(dir)}
	case free < diskWarn:
		return check{"disk", CheckWarn, fmt.Sprintf("The state directory has %d MB free.", free>>20), "df -h " + phrase.ShellWord(dir)}
	}
	return check{"disk", checkOK, fmt.Sprintf("The state directory has %d MB free.", free>>20), ""}
}

// checkClients looks into the configurations of the clients, of this user and
// under the usual name.
func checkClients(deps *cmdutil.Deps) []check {
	var checks []check
	for _, c := range clientfile.Clients() {
		if found, ok := checkClient(deps, c); ok {
			checks = append(checks, found)
		}
	}
	if len(checks) == 0 {
		return []check{{"clients", checkOK, "No client of this user has a server named partner.", "mcp-partner install claude-desktop"}}
	}
	return checks
}

func checkClient(deps *cmdutil.Deps, c clientfile.Client) (check, bool) {
	name := "client " + c.Name
	path, err := c.Path(clientfile.Place{GOOS: runtime.GOOS, Env: deps.IO.Env}, clientfile.ScopeUser)
	if err != nil {
		return check{}, false
	}
	file, err := clientfile.Open(path)
	if err == nil {
		var server clientfile.Server
		var found bool
		if server, found, err = c.Find(file.Text, "partner"); err == nil {
			return judgeClient(deps, c, server), found
		}
	}
	return check{name, CheckWarn, path + " was not checked: " + err.Error() + ".", "mcp-partner install " + c.Name + " --print"}, true
}

func judgeClient(deps *cmdutil.Deps, c clientfile.Client, server clientfile.Server) check {
	name, again := "client "+c.Name, "mcp-partner install "+c.Name
	if server.URL != "" {
		return check{name, checkOK, c.Title + " uses a server at " + phrase.HostOf(server.URL) + ".", ""}
	}
	if info, err := os.Stat(server.Command); err != nil || info.IsDir() || !filepath.IsAbs(server.Command) {
		return check{name, CheckFail, c.Title + " starts " + server.Command + ", which does not exist.", again}
	}
	i := slices.Index(server.Args, "--state-dir")
	if i < 0 || i+1 >= len(server.Args) || filepath.Clean(server.Args[i+1]) != deps.StateDir {
		return check{name, CheckWarn, c.Title + " starts this server on another state directory.", again}
	}
	if client.StaysLocked(deps, server.Args) {
		return check{name, CheckWarn, c.Title + " starts this server without a terminal and without the passphrase that opens the vault.", again + " -- --passphrase-file FILE"}
	}
	return check{name, checkOK, c.Title + " starts " + server.Command + strings.TrimSuffix(" "+strings.Join(boundsIn(server.Args), " "), " ") + " on this state directory.", ""}
}

func boundsIn(args []string) []string {
	var flags []string
	for _, arg := range args {
		if name, _, _ := strings.Cut(arg, "="); strings.HasPrefix(name, "--") && name != "--state-dir" {
			flags = append(flags, name)
		}
	}
	return flags
}
