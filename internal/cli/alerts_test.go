package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// inbox is a receiver that keeps what it gets.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.got = append(i.got, string(body))
	}))
	t.Cleanup(i.Close)
	return i
}

// taken returns what came since the last call.
func (i *inbox) taken() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	got := i.got
	i.got = nil
	return got
}

// alerting is a state directory with a channel of each format.
func alerting(t *testing.T) (s *stage, channels map[string]*inbox) {
	t.Helper()
	s, channels = newStage(t), map[string]*inbox{}
	lines := []string{"allow-private: 127.0.0.0/8", "alerts:"}
	for _, format := range []string{"json", "slack", "teams"} {
		channels[format] = newInbox(t)
		lines = append(lines, fmt.Sprintf("- {name: to-%s, to: {url_file: %s.url, key_file: hook.key, format: %s}}", format, format, format))
		s.put(format+".url", channels[format].URL)
	}
	s.put("hook.key", strings.Repeat("k", 32))
	s.put("config.yaml", strings.Join(lines, "\n"))
	return s, channels
}

func (s *stage) put(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// A link that was removed behind our back is told to each channel by the next audit,
// and by none after it, each a process of its own. What this program removed itself
// is told to nobody.
func TestVanishedLinkIsAlertedOnceByEachChannel(t *testing.T) {
	t.Parallel()
	s, channels := alerting(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	audit := func(want string) {
		t.Helper()
		code, out, stderr := runHere(t, "audit", "--notify", "--state-dir", s.dir)
		if code != 0 || !strings.Contains(stderr, want) {
			t.Fatalf("exit code %d: %s%s, want %q", code, out, stderr, want)
		}
	}
	nothing := func() {
		t.Helper()
		for format, channel := range channels {
			if got := channel.taken(); len(got) > 0 {
				t.Errorf("%s got %s", format, got)
			}
		}
	}
	must(s.world.Sim.SetLink("contoso", "1234567"))
	audit("0 changes alerted")
	must(s.world.Sim.ClearLink("contoso"))
	s.must("", nil, "audit")
	audit("1 change alerted")
	for format, channel := range channels {
		if got := channel.taken(); len(got) != 1 || !strings.Contains(got[0], "contoso") || !strings.Contains(strings.ReplaceAll(got[0], "_", " "), "link vanished") {
			t.Errorf("%s got %q", format, got)
		}
	}
	audit("0 changes alerted")
	nothing()
	changed := s.must("", nil, "ledger", "list", "--json")
	if strings.Count(changed, `"kind":"change"`) != 1 || !strings.Contains(changed, "link_vanished") {
		t.Errorf("recorded: %s", changed)
	}

	must(s.world.Sim.SetLink("contoso", "1234567"))
	audit("0 changes alerted")
	s.must("", nil, "audit", "acknowledge", "contoso", "--note", "they said so", "--until", "2999-12-31")
	must(s.world.Sim.ClearLink("contoso"))
	audit("0 changes alerted")
	if text := s.must("", nil, "audit", "changes", "--json"); !strings.Contains(text, "they said so") {
		t.Errorf("changes: %s", text)
	}
	s.must("", nil, "audit", "acknowledge", "contoso", "--end")

	must(s.world.Sim.SetLink("contoso", "1234567"))
	audit("0 changes alerted")
	s.must("", nil, "call", "remove_partner", "--tenant", "contoso", "--partner-id", "1234567", "--allow-writes", "--approval", "none", "--partner-ids", "1234567")
	audit("0 changes alerted")
	nothing()
	var change struct {
		Kind string
		Own  bool
	}
	if text := s.must("", nil, "audit", "changes", "--json"); json.Unmarshal([]byte(text), &change) != nil || change.Kind != "link_vanished" || !change.Own {
		t.Errorf("changes: %s", text)
	}
}

// The next slot is compared with the audit that a person ran, so that one alerts.
func TestScheduleThatIsRunNowAlerts(t *testing.T) {
	t.Parallel()
	s, channels := alerting(t)
	s.must("", nil, "schedules", "add", "nightly", "--cron", "@yearly")
	if err := s.world.Sim.SetLink("contoso", "1234567"); err != nil {
		t.Fatal(err)
	}
	s.must("", nil, "schedules", "run", "nightly")
	if err := s.world.Sim.ClearLink("contoso"); err != nil {
		t.Fatal(err)
	}
	s.must("", nil, "schedules", "run", "nightly")
	for format, channel := range channels {
		if got := channel.taken(); len(got) != 1 || !strings.Contains(got[0], "contoso") {
			t.Errorf("%s got %q", format, got)
		}
	}
}

func TestScheduleForPersonSelectsWhatThePersonSees(t *testing.T) {
	t.Parallel()
	const tenant, person = "11111111-2222-3333-4444-555555555555", "bbbbbbbb-2222-3333-4444-555555555555"
	for grant, want := range map[string]int{"contoso": 0, "fabrikam": 3} {
		s := newStage(t)
		s.put("config.yaml", "callers: {grants: [{name: Ann, tenant_id: "+tenant+", object_id: "+person+", scopes: [partner.read], tenants: ["+grant+"]}]}")
		code, out, stderr := runHere(t, "schedules", "add", "ann", "--cron", "@daily", "--for", "entra:"+tenant+":"+person, "--tenants", "contoso", "--state-dir", s.dir)
		if code != want {
			t.Errorf("%s: exit code %d: %s%s", grant, code, out, stderr)
		}
	}
}

func TestListOfSchedulesShowsWhichMayNotRun(t *testing.T) {
	t.Parallel()
	const tenant, ann, ben = "11111111-2222-3333-4444-555555555555", "bbbbbbbb-2222-3333-4444-555555555555", "cccccccc-2222-3333-4444-555555555555"
	s := newStage(t)
	grant := func(person string) {
		s.put("config.yaml", "callers: {grants: [{name: Ann, tenant_id: "+tenant+", object_id: "+person+", scopes: [partner.read], tenants: [contoso]}]}")
	}
	grant(ann)
	s.must("", nil, "schedules", "add", "ann", "--cron", "@daily", "--for", "entra:"+tenant+":"+ann, "--tenants", "contoso")
	for _, test := range []struct {
		granted   string
		mayNotRun bool
	}{
		{granted: ann, mayNotRun: false},
		{granted: ben, mayNotRun: true},
	} {
		grant(test.granted)
		var row struct{ Next, Refused string }
		text := s.must("", nil, "schedules", "list", "--json")
		var listed struct{ Schedules []json.RawMessage }
		if err := json.Unmarshal([]byte(text), &listed); err != nil || len(listed.Schedules) != 1 || json.Unmarshal(listed.Schedules[0], &row) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if (row.Next == "") != test.mayNotRun || strings.Contains(row.Refused, ann) != test.mayNotRun {
			t.Errorf("with a grant for %s: %s", test.granted, text)
		}
		if table := s.must("", nil, "schedules", "list"); strings.Contains(table, "may not run: ") != test.mayNotRun {
			t.Errorf("with a grant for %s: %s", test.granted, table)
		}
	}
}

func TestNotifyNeedsChannelAndVault(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if code, _, stderr := runHere(t, "audit", "--notify", "--state-dir", s.dir); code != 2 || !strings.Contains(stderr, "has no alerts") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if runs := s.must("", nil, "audit", "list", "--json"); !slices.Contains(strings.Fields(runs), `{"runs":[]}`) {
		t.Errorf("an audit was begun: %s", runs)
	}
}
