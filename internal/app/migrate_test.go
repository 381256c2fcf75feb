package app

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/database"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// old is a state directory with a vault, a tenant and a ledger, and the settings with
// which it moves into a database.
func old(t *testing.T) (here, moving *Settings) {
	t.Helper()
	moving = replicas(t, 1)[0]
	here = NewSettings(noEnv, nil)
	here.SetStateDir(moving.StateDir)
	here.Keys = moving.Keys
	makeVault(t, here)
	a, err := here.Open(nil)
	must(t, err)
	defer a.Close()
	secret, err := vault.NewSecret([]byte("canary of a secret"))
	must(t, err)
	must(t, a.Store.Put(t.Context(), "partner", secret))
	cloud, err := tenants.CloudNamed(tenants.CloudPublic)
	must(t, err)
	entry := tenants.Entry{Name: "contoso", TenantID: "11111111-0000-0000-0000-000000000001", Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: "partner"}}}
	must(t, a.Directory.Add(t.Context(), entry, tenants.CredentialConfig{Name: "partner", Kind: tenants.KindClientSecret, ClientID: "33333333-0000-0000-0000-000000000001"}))
	must(t, a.Directory.PinObjectID(t.Context(), "contoso", "partner", "22222222-0000-0000-0000-000000000001"))
	decider, err := a.Guard(guard.Options{})
	must(t, err)
	must(t, decider.Changed(t.Context(), guard.KindDirectory, "The tenant contoso was added."))
	return here, moving
}

func TestStateDirectoryMovesIntoDatabase(t *testing.T) {
	t.Parallel()
	here, moving := old(t)
	plan, err := moving.Migrate(t.Context(), false)
	must(t, err)
	if plan.Moved || plan.Last == 0 || !slices.Contains(plan.Files, "vault.age") || slices.Contains(plan.Files, "vault.key") {
		t.Errorf("%+v", plan)
	}
	if a, err := here.Open(nil); err != nil {
		t.Error("a dry run changed the state directory: ", err)
	} else {
		a.Close()
	}
	done, err := moving.Migrate(t.Context(), true)
	must(t, err)
	if !done.Moved || done.Last != plan.Last || done.Head != plan.Head || !slices.Equal(done.Files, plan.Files) {
		t.Errorf("%+v, the plan was %+v", done, plan)
	}
	if _, err := here.Open(nil); err == nil || !strings.Contains(exit.Of(err).Next, "migrate --back") {
		t.Error("the state directory is used after the move: ", err)
	}
	a := open(t, moving)
	if _, err := a.Store.Get(t.Context(), "partner"); err != nil {
		t.Error(err)
	}
	if entry, err := a.Directory.Get("contoso"); err != nil || entry.Credentials[0].PinnedObjectID == "" {
		t.Errorf("%+v, %v", entry, err)
	}
	if report, err := a.Ledger.Verify(t.Context(), nil); err != nil || !report.Whole() || report.Last != plan.Last {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestStateDirectoryInUseIsNotMoved(t *testing.T) {
	t.Parallel()
	here, moving := old(t)
	servers := []*App{open(t, here), open(t, here)}
	if _, err := moving.Migrate(t.Context(), false); err != nil {
		t.Error("nothing is shown beside a server: ", err)
	}
	for _, server := range servers {
		if _, err := moving.Migrate(t.Context(), true); err == nil || !strings.Contains(exit.Of(err).Next, "stop all servers") {
			t.Error("moved beside a server: ", err)
		}
		server.Close()
	}
	m, err := moving.openMigration(t.Context(), true)
	must(t, err)
	if _, err := here.Open(nil); err == nil || !strings.Contains(exit.Of(err).Next, "migrate has ended") {
		t.Error("used while it is moved: ", err)
	}
	m.close()
	_, err = moving.Migrate(t.Context(), true)
	must(t, err)
}

func TestMoveGoesOnAfterInterruption(t *testing.T) {
	t.Parallel()
	_, moving := old(t)
	m, err := moving.openMigration(t.Context(), true)
	must(t, err)
	unlock, err := m.shared.Lock(t.Context(), "migrate.lock")
	must(t, err)
	must(t, m.shared.Write("vault.age", m.files["vault.age"]))
	unlock()
	m.close()
	if done, err := moving.Migrate(t.Context(), true); err != nil || !done.Moved {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestMoveIntoUsedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, moving := old(t)
	_, other := old(t)
	_, err := other.Migrate(t.Context(), true)
	must(t, err)
	moving.DatabaseURLFile = other.DatabaseURLFile
	if done, err := moving.Migrate(t.Context(), true); err == nil || done.Moved || !strings.Contains(err.Error(), "another one") {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := os.Lstat(filepath.Join(moving.StateDir, MovedMark)); err == nil {
		t.Error("it is marked as moved")
	}
	if _, err := moving.Migrate(t.Context(), false); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Error("a dry run does not look into the database: ", err)
	}
}

// tables counts what a database has, which the program has not made yet.
func tables(t *testing.T, s *Settings) (n int) {
	t.Helper()
	shared, err := s.database()
	must(t, err)
	must(t, database.OnServer(shared.server, ledger.Migrations()).Look(t.Context(), func(q database.Querier) error {
		return q.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace`).Scan(&n)
	}))
	return n
}

func TestDryRunOfMoveMakesNothing(t *testing.T) {
	t.Parallel()
	_, moving := old(t)
	_, err := moving.Migrate(t.Context(), false)
	must(t, err)
	if n := tables(t, moving); n != 0 {
		t.Errorf("it made %d tables and indexes", n)
	}
}

func TestDryRunOfMoveSaysWhyDatabaseCannotBeUsed(t *testing.T) {
	t.Parallel()
	_, moving := old(t)
	text, err := os.ReadFile(moving.DatabaseURLFile)
	must(t, err)
	for _, c := range []struct {
		name string
		set  func(at *url.URL, query url.Values)
		want string
	}{
		{name: "no such database", set: func(at *url.URL, _ url.Values) { at.Path = "/nowhere" }, want: "does not exist"},
		{name: "no such schema", set: func(_ *url.URL, query url.Values) { query.Set("search_path", "nowhere") }, want: "does not exist"},
		{name: "no such server", set: func(_ *url.URL, query url.Values) { query.Set("host", t.TempDir()) }, want: "cannot be reached"},
		{name: "no such user", set: func(at *url.URL, _ url.Values) { at.User = url.UserPassword("nobody-here", "wrong") }, want: "refuses the sign-in"},
	} {
		at, err := url.Parse(strings.TrimSpace(string(text)))
		must(t, err)
		query := at.Query()
		c.set(at, query)
		at.RawQuery = query.Encode()
		must(t, os.WriteFile(moving.DatabaseURLFile, []byte(at.String()), 0o600))
		moving.shared = nil
		if m, err := moving.Migrate(t.Context(), false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
	}
}

func TestMoveBackWhileNothingWasWritten(t *testing.T) {
	t.Parallel()
	here, moving := old(t)
	_, err := moving.Migrate(t.Context(), true)
	must(t, err)
	must(t, moving.MigrateBack(t.Context()))
	a, err := here.Open(nil)
	must(t, err)
	a.Close()
	moved, err := moving.Migrate(t.Context(), true)
	must(t, err)
	b := open(t, moving)
	decider, err := b.Guard(guard.Options{})
	must(t, err)
	must(t, decider.Changed(t.Context(), guard.KindDirectory, "Something was changed since."))
	for range 2 { // the first refusal must not spoil the state directory for the second
		err := moving.MigrateBack(t.Context())
		if err == nil || !strings.Contains(err.Error(), "that of the state directory ends with "+strconv.FormatInt(moved.Last, 10)+":") {
			t.Error("what happened in the database is forgotten: ", err)
		}
	}
	if _, err := moving.Migrate(t.Context(), true); err == nil || !strings.Contains(err.Error(), "was moved already") {
		t.Error(err)
	}
}

func TestMoveBackFromAnotherDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, moving := old(t)
	_, other := old(t)
	_, err := moving.Migrate(t.Context(), true)
	must(t, err)
	moving.DatabaseURLFile, moving.shared = other.DatabaseURLFile, nil
	if err := moving.MigrateBack(t.Context()); err == nil || !strings.Contains(err.Error(), "names another ledger") {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(moving.StateDir, MovedMark)); err != nil {
		t.Error("it is not marked as moved any more: ", err)
	}
	if n := tables(t, moving); n != 0 {
		t.Errorf("the other database got %d tables and indexes", n)
	}
}
