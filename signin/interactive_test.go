package signin

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const alice = "alice@contoso.example"

// browse is a browser in which a person is signed in: it opens a page, and
// sends on the form that it finds there.
func browse(page string, client *http.Client) error {
	response, err := client.Get(page)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	action := regexp.MustCompile(`action="([^"]*)"`).FindSubmatch(text)
	if err != nil || action == nil {
		return err
	}
	form := url.Values{}
	for _, field := range regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllSubmatch(text, -1) {
		form.Set(string(field[1]), html.UnescapeString(string(field[2])))
	}
	answer, err := http.PostForm(html.UnescapeString(string(action[1])), form)
	if err == nil {
		answer.Body.Close()
	}
	return err
}

// ui is Alice at her machine.
func (w *world) ui() LoginUI {
	return LoginUI{
		Device: func(p DevicePrompt) error { return w.sim.ApproveDevice(p.Code, alice) },
		Open: func(page string) error {
			client, err := w.opts.HTTP.Client([]byte(caOf(w.azure)))
			if err == nil {
				go func() { _ = browse(page, client) }()
			}
			return err
		},
	}
}

func peopled(t *testing.T, kind tenants.Kind) (*world, map[string]string) {
	t.Helper()
	w := newWorld(t, 3, tenants.CredentialConfig{Kind: kind})
	objects, err := w.sim.AddUser(alice, "contoso", "fabrikam")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SignInBrowser(alice); err != nil {
		t.Fatal(err)
	}
	return w, objects
}

func (w *world) login(t *testing.T) {
	t.Helper()
	if _, err := w.Login(context.Background(), "contoso", kindName, w.ui()); err != nil {
		t.Fatal(err)
	}
}

// anotherProcess is a Source with the same vault and no memory.
func (w *world) anotherProcess() {
	w.Source = NewSource(Options{Directory: w.directory, Store: w.store, Clock: w.clock.Now})
	w.tb.Cleanup(w.Close)
}

// A sign-in lasts: it serves every tenant in which the person has an account,
// and other processes.
func TestInteractiveSignIn(t *testing.T) {
	t.Parallel()
	for _, kind := range []tenants.Kind{tenants.KindDeviceCode, tenants.KindBrowser} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, objects := peopled(t, kind)
			_, err := w.token("contoso")
			roomtest.WantCode(t, err, problems.CodeInteractionRequired)
			who, err := w.Login(context.Background(), "contoso", kindName, w.ui())
			contoso, fabrikam := w.sim.Tenants()[0], w.sim.Tenants()[1]
			if want := (SignedIn{alice, contoso.TenantID, objects[contoso.TenantID]}); err != nil || who != want {
				t.Fatalf("signed in as %+v (%v), want %+v", who, err, want)
			}
			w.anotherProcess()
			for _, tenant := range []string{"contoso", "fabrikam"} {
				if got := w.accepted(tenant); got != objects[map[string]string{"contoso": contoso.TenantID, "fabrikam": fabrikam.TenantID}[tenant]] {
					t.Errorf("%s: acts as %s", tenant, got)
				}
			}
			_, err = w.token("adventure-works")
			roomtest.WantCode(t, err, problems.CodeForeignPrincipal)
		})
	}
}

// What the vault holds has no access token in it.
func TestSignInKeepsNoAccessToken(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindDeviceCode)
	w.login(t)
	kept, err := w.store.Get(context.Background(), kindName)
	if err != nil {
		t.Fatal(err)
	}
	text := string(sealed.Bytes(kept.Secret))
	if !strings.Contains(text, "simRT~") || strings.Contains(text, "eyJ") {
		t.Error("the vault holds no refresh token, or an access token")
	}
}

// A server never asks: an ended sign-in says which command mends it, and Entra
// ID is not asked again for every call.
func TestEndedSignInNamesTheCommand(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindDeviceCode)
	w.login(t)
	w.sim.EndSignIns(alice)
	w.anotherProcess()
	before := w.sim.Stats().TokenRequests
	for range 3 {
		_, err := w.token("contoso")
		if problem := roomtest.WantCode(t, err, problems.CodeInteractionRequired); problem.Command != "mcp-partner vault login "+kindName {
			t.Errorf("command %q", problem.Command)
		}
	}
	if got := w.sim.Stats().TokenRequests - before; got != 1 {
		t.Errorf("%d requests with an ended sign-in, want 1", got)
	}
	w.login(t)
	w.accepted("contoso")
}

func TestTenantRequiringInteractionIsReported(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindBrowser)
	w.login(t)
	if err := w.sim.RequireInteraction("contoso", true); err != nil {
		t.Fatal(err)
	}
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeInteractionRequired)
	w.accepted("fabrikam")
}

// The refresh token in the vault is renewed from time to time, not at each use.
func TestSignInIsRenewed(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindDeviceCode)
	w.login(t)
	kept := func() vault.Secret {
		stored, err := w.store.Get(context.Background(), kindName)
		if err != nil {
			t.Fatal(err)
		}
		return stored.Secret
	}
	first := kept()
	w.accepted("contoso")
	if !kept().Equal(first) {
		t.Error("the vault was written for one token")
	}
	record, err := decodeSignIn(first)
	if err != nil {
		t.Fatal(err)
	}
	record.RenewedAt = w.clock.Now().Add(-renewAfter)
	older, err := record.encode()
	if err != nil {
		t.Fatal(err)
	}
	w.put(older)
	w.accepted("fabrikam")
	if kept().Equal(older) {
		t.Fatal("the refresh token was not renewed")
	}
	w.anotherProcess()
	w.accepted("contoso")
}

func TestFailedSignInIsNotStored(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindDeviceCode)
	ui := w.ui()
	ui.Device = func(p DevicePrompt) error { return w.sim.DeclineDevice(p.Code) }
	_, err := w.Login(context.Background(), "contoso", kindName, ui)
	roomtest.WantCode(t, err, problems.CodeInteractionRequired)
	ui.Device = func(DevicePrompt) error { w.clock.Advance(time.Hour); return nil }
	_, err = w.Login(context.Background(), "contoso", kindName, ui)
	roomtest.WantCode(t, err, problems.CodeInteractionRequired)
	gone, cancel := context.WithCancel(context.Background())
	ui.Device = func(DevicePrompt) error { cancel(); return nil }
	_, err = w.Login(gone, "contoso", kindName, ui)
	roomtest.WantCode(t, err, problems.CodeCancelled)
	_, err = w.Login(context.Background(), "adventure-works", kindName, w.ui())
	roomtest.WantCode(t, err, problems.CodeForeignPrincipal)
	if err := w.directory.PinObjectID(context.Background(), "contoso", kindName, "0c1b2a39-1111-4222-8333-999999999999"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Login(context.Background(), "contoso", kindName, w.ui())
	roomtest.WantCode(t, err, problems.CodeWrongIdentity)
	if names, _ := w.store.List(context.Background()); len(names) != 0 {
		t.Errorf("the vault holds %v", names)
	}
}

func TestLoginRefusesClientSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret})
	_, err := w.Login(context.Background(), "contoso", kindName, LoginUI{})
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}

func TestSignInKeepsStoredSecret(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t, tenants.KindDeviceCode)
	theirs := roomtest.MustSecret(t, "somebody's secret")
	w.put(theirs)
	ui := w.ui()
	ui.Device = func(DevicePrompt) error { t.Error("a person was asked"); return nil }
	_, err := w.Login(context.Background(), "contoso", kindName, ui)
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	if kept, err := w.store.Get(context.Background(), kindName); err != nil || !kept.Secret.Equal(theirs) {
		t.Error("a sign-in took the place of a secret")
	}
}
