package tenants

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

// healthDir is a state directory with a directory of tenants in it.
func healthDir(t *testing.T) string {
	t.Helper()
	dir := roomtest.StateDir(t)
	d, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AddCredential(context.Background(), CredentialConfig{Name: "App", Kind: KindClientSecret, ClientID: roomtest.ClientID}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func event(credential string, at time.Time, code problems.Code) Event {
	e := Event{Credential: credential, Tenant: "contoso", Time: at}
	if code != "" {
		e.Problem = problems.New(code, "a message with a secret in it")
	}
	return e
}

// The observations of several processes are merged, in any order of writing.
func TestHealthOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	dir := healthDir(t)
	first, second := openHealth(t, dir), openHealth(t, dir)
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	first.Note(event("App", at, ""))
	second.Note(event("app", at.Add(time.Hour), problems.CodeCredentialRejected))
	first.Note(event("other", at, ""))
	if got := first.All()["app"]; !got.LastSuccess.Equal(at) || !got.LastFailure.IsZero() {
		t.Errorf("before anything was written: %+v", got)
	}
	second.Close()
	first.Close()
	want := Health{at, at.Add(time.Hour), problems.CodeCredentialRejected, "contoso"}
	for _, h := range []*HealthFile{first, second, openHealth(t, dir)} {
		if got := h.All()["app"]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	text, err := os.ReadFile(dir + "/" + healthName)
	if err != nil || strings.Contains(string(text), "a message") {
		t.Errorf("the file holds %s (%v)", text, err)
	}
}

func TestNilHealthFileIsSafe(t *testing.T) {
	t.Parallel()
	var none *HealthFile
	none.Note(event("app", time.Now(), ""))
	none.Close()
	if none.All() != nil {
		t.Error("nothing knows something")
	}
	dir := healthDir(t)
	for _, text := range []string{"", "{", `{"version":99,"credentials":{}}`, `{"version":1,"other":1}`} {
		if err := os.WriteFile(dir+"/"+healthName, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h := openHealth(t, dir)
		if len(h.All()) != 0 {
			t.Errorf("%q is believed", text)
		}
		h.Note(event("app", time.Now(), ""))
		h.Close()
		if len(openHealth(t, dir).All()) != 1 {
			t.Errorf("%q was not replaced", text)
		}
		if err := os.Remove(dir + "/" + healthName); err != nil {
			t.Fatal(err)
		}
	}
	// A state directory that nobody made is not made for this.
	missing := roomtest.StateDir(t) + "/missing"
	h := openHealth(t, missing)
	h.Note(event("app", time.Now(), ""))
	h.Close()
	if _, err := os.Stat(missing); err == nil {
		t.Error("a state directory was made")
	}
}

func TestHealthIsBounded(t *testing.T) {
	t.Parallel()
	dir := healthDir(t)
	h := openHealth(t, dir)
	at := time.Now()
	var group sync.WaitGroup
	for i := range maxHealth + 100 {
		group.Go(func() { h.Note(event(fmt.Sprintf("app-%05d", i), at.Add(time.Duration(i)*time.Second), "")) })
	}
	group.Wait()
	h.Close()
	known := openHealth(t, dir).All()
	if len(known) != maxHealth || known["app-00000"] != (Health{}) {
		t.Errorf("%d are kept, the oldest among them: %t", len(known), known["app-00000"] != (Health{}))
	}
}

func openHealth(t *testing.T, dir string) *HealthFile {
	t.Helper()
	h, err := OpenHealth(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	return h
}
