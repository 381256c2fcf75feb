package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/simulator"
)

// A person signs in with the browser, through the page that the program shows,
// and the next process acts as that person.
func TestBrowserLogin(t *testing.T) {
	t.Parallel()
	k := &kindsWorld{canary: &canary{world: newWorld(t, simulator.Config{Tenants: 1, LinkedPercent: -1})}}
	objects, err := k.sim.AddUser(personName, "contoso")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.sim.SignInBrowser(personName); err != nil {
		t.Fatal(err)
	}
	k.cli("vault", "init").must(t)
	k.with("contoso", "--credential", "alice", "--kind", "browser")
	login := k.cli("vault", "login", "alice", "--no-browser").start(t)
	page := ""
	for page == "" {
		page = regexp.MustCompile(`https://\S+`).FindString(string(login.line()))
	}
	k.browse(t, page)
	if code := login.code(); code != 0 {
		t.Fatalf("vault login ended with %d: %s", code, login.errs)
	}
	said := k.cli("call", "check_partner_link", "--tenant", "contoso", "--json").must(t)
	if object := objects[k.tenant("contoso").TenantID]; !strings.Contains(said.stdout, `"object_id":"`+object+`"`) {
		t.Errorf("the call acts as somebody else than %s: %s", object, said.stdout)
	}
}

// browse opens a page and sends its form on, as a browser does.
func (k *kindsWorld) browse(t *testing.T, page string) {
	t.Helper()
	ca, err := os.ReadFile(k.caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	browser := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer browser.CloseIdleConnections()
	response, err := browser.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	action := regexp.MustCompile(`action="([^"]*)"`).FindSubmatch(text)
	if err != nil || action == nil {
		t.Fatalf("the page has no form: %s (%v)", text, err)
	}
	form := url.Values{}
	for _, field := range regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllSubmatch(text, -1) {
		form.Set(string(field[1]), html.UnescapeString(string(field[2])))
	}
	answer, err := browser.PostForm(html.UnescapeString(string(action[1])), form)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}
