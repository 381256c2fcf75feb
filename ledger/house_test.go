package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// testKeys keeps the counter in a file, so that processes share it. Keys follow
// from their names.
type testKeys struct {
	path string

	mu      sync.Mutex
	missing bool
	broken  error
	sets    int
}

func keysAt(dir string) *testKeys { return &testKeys{path: filepath.Join(dir, "counter")} }

func testKey(name string) []byte {
	key := sha256.Sum256([]byte("test key " + name))
	return key[:]
}

func (k *testKeys) Key(_ context.Context, name string, size int, create bool) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return nil, k.broken
	}
	if k.missing && !create {
		return nil, problems.New(problems.CodeVaultMissing, "no key "+name)
	}
	k.missing = false
	return testKey(name)[:size], nil
}

func (k *testKeys) locked(do func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return k.broken
	}
	lock := flock.New(k.path + ".lock")
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	return do()
}

func (k *testKeys) read() int64 {
	text, _ := os.ReadFile(k.path)
	n, _ := strconv.ParseInt(string(text), 10, 64)
	return n
}

func (k *testKeys) Counter(context.Context) (n int64, err error) {
	err = k.locked(func() error { n = k.read(); return nil })
	return n, err
}

func (k *testKeys) SetCounter(_ context.Context, value int64) error {
	return k.locked(func() error {
		k.sets++
		if value <= k.read() {
			return nil
		}
		return os.WriteFile(k.path, strconv.AppendInt(nil, value, 10), 0o600)
	})
}

// forget takes the counter back to nothing, as a vault of an earlier age has it.
func (k *testKeys) forget() error { return os.Remove(k.path) }

func (k *testKeys) breakWith(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = err
}

// noon is when tests begin.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC) }

// house is one state directory.
type house struct {
	*Ledger
	t     testing.TB
	dir   string
	keys  *testKeys
	clock *testkit.Clock
	// patience is that of a new Ledger.
	patience time.Duration
	// announces puts questions for approvers into the outbox.
	announces bool
	// url is where the ledger is, or empty for a file in the directory.
	url string
}

// builder makes a house with a ledger in some database.
type builder func(testing.TB) *house

// onBoth runs a test with a ledger in a file and with one on a server.
func onBoth(t *testing.T, test func(t *testing.T, build builder)) {
	t.Parallel()
	for name, build := range map[string]builder{"sqlite": build, "postgres": buildOnServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, build)
		})
	}
}

func build(t testing.TB) *house { return buildAt(t, "") }

func buildOnServer(t testing.TB) *house { return buildAt(t, pgtest.URL(t)) }

func buildAt(t testing.TB, url string) *house {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: dir, url: url, keys: keysAt(t.TempDir()), clock: testkit.NewClock(noon())}
	h.reopen()
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// serverAt is the server of a URL, or nil.
func serverAt(url string) *database.Server {
	if url == "" {
		return nil
	}
	server, err := database.ParseURL(url)
	if err != nil {
		panic(err)
	}
	return server
}

// reopen makes a new Ledger on the same directory, as a new process would.
func (h *house) reopen() {
	h.t.Helper()
	if h.Ledger != nil {
		h.must(h.Close())
	}
	h.Ledger = Open(h.options())
}

func (h *house) options() Options {
	return Options{Dir: disk.New(h.dir), Server: serverAt(h.url), Keys: h.keys, Program: "v1.2.3", Now: h.clock.Now, Patience: h.patience, Announces: h.announces}
}

// second is the ledger in another process, on another machine if it is on a server.
func (h *house) second() *Ledger {
	other := Open(h.options())
	h.t.Cleanup(func() { _ = other.Close() })
	return other
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func ctx() context.Context { return context.Background() }

func identity1(tenant string) answers.Identity {
	return answers.Identity{TenantID: "11111111-0000-0000-0000-" + fmt.Sprintf("%012x", len(tenant)), Tenant: tenant,
		ObjectID: "22222222-0000-0000-0000-000000000001", Cloud: "public", Credential: "partner"}
}

func intent(caller, tenant, partner string) guard.Intent {
	return guard.Intent{Caller: access.Caller(caller), Tool: schemas.ToolRegisterPartner, Identity: identity1(tenant),
		Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, PartnerID: partnerid.ID(partner)}
}

func event(kind guard.EventKind, i guard.Intent) guard.Event {
	return guard.Event{Time: noon(), Kind: kind, Intent: i}
}

func ticket(id string, i guard.Intent) guard.Ticket {
	return guard.Ticket{ID: id, Intent: i, Binding: sha256.Sum256([]byte(i.Identity.Tenant + string(i.PartnerID))),
		CreatedAt: noon(), ExpiresAt: noon().Add(time.Hour), Requester: "alice"}
}

// fill writes n entries: intents, which a freeze does not stop, and their outcomes.
func (h *house) fill(n int) {
	h.t.Helper()
	i := intent("stdio", "contoso", "1234567")
	for k := 0; k < n; k += 2 {
		completing := event(guard.KindIntent, i)
		completing.Completes = true
		last, err := h.Append(ctx(), completing)
		h.must(err)
		outcome := event(guard.KindOutcome, i)
		outcome.Of, outcome.Result = last, "done"
		_, err = h.Append(ctx(), outcome)
		h.must(err)
	}
}

func (h *house) put(id string) guard.Ticket {
	h.t.Helper()
	stored, err := h.PutTicket(ctx(), ticket(id, intent("stdio", "tenant of "+id, "1234567")), 100, guard.Event{Time: noon(), Kind: guard.KindAsked, Approval: id})
	h.must(err)
	return stored
}

func (h *house) verify(head *Head) Report {
	h.t.Helper()
	var heads []Head
	if head != nil {
		heads = []Head{*head}
	}
	report, err := h.Verify(ctx(), heads)
	h.must(err)
	return report
}

func (h *house) whole() Report {
	h.t.Helper()
	report := h.verify(nil)
	if !report.Whole() {
		h.t.Fatalf("findings: %+v", report.Findings)
	}
	return report
}

func (h *house) events() []guard.Event {
	h.t.Helper()
	events, err := h.List(ctx(), Filter{})
	h.must(err)
	return events
}

// sql runs statements on the database as somebody else would who has it. The
// ledger is closed meanwhile.
func (h *house) sql(statements ...string) {
	h.t.Helper()
	h.must(h.Close())
	h.meanwhile(statements...)
	h.Ledger = nil
	h.reopen()
}

// meanwhile runs statements on the database while the ledger is open.
func (h *house) meanwhile(statements ...string) {
	h.t.Helper()
	db := h.anybody()
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(h.dialect(statement)); err != nil {
			h.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// anybody connects to the database without this program.
func (h *house) anybody() *sql.DB {
	h.t.Helper()
	driver, name := "sqlite", h.name
	if h.url != "" {
		driver, name = "pgx", h.url
	}
	db, err := sql.Open(driver, name)
	h.must(err)
	return db
}

// dialect turns what SQLite alone understands of a statement into PostgreSQL's.
func (h *house) dialect(statement string) string {
	if h.url == "" {
		return statement
	}
	for _, form := range []struct{ from, to string }{
		{`zeroblob\(32\)`, `decode(repeat('00', 32), 'hex')`},
		{`x'([0-9a-f]*)'`, `decode('$1', 'hex')`},
		{`json_set\(body, '\$\.(\w+)', json\('([^']*)'\)\)`, `jsonb_set(body::jsonb, '{$1}', '$2')::json`},
		{`json_set\(body, '\$\.(\w+)', '([^']*)'\)`, `jsonb_set(body::jsonb, '{$1}', '"$2"')::json`},
		{`json_remove\(body, '\$\.(\w+)'\)`, `(body::jsonb - '$1')::json`},
		{`replace\(body, ('[^']*'), ('[^']*')\)`, `replace(body::text, $1, $2)::json`},
	} {
		statement = regexp.MustCompile(form.from).ReplaceAllString(statement, form.to)
	}
	return statement
}

func problemOf(t testing.TB, err error, code problems.Code, parts ...string) *problems.Problem {
	t.Helper()
	var p *problems.Problem
	if !errors.As(err, &p) || p.Code != code {
		t.Fatalf("error %v, want a problem %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(p.Message+" "+p.Hint+" "+p.Command, part) {
			t.Errorf("message %q, hint %q: %q is not in it", p.Message, p.Hint, part)
		}
	}
	return p
}

// putUser adds a user with the event that says so, or changes one.
func putUser(s guard.StateStore, user guard.User, event guard.Event) error {
	return s.ChangeStates(ctx(), func(tx guard.StateTx) error { return tx.Put(guard.UserState, user.Name, user, event) })
}

func removeUser(s guard.StateStore, name string, event guard.Event) error {
	return s.ChangeStates(ctx(), func(tx guard.StateTx) error { return tx.Remove(guard.UserState, name, event) })
}

// session looks at the database as it is.
func (h *house) session() *session {
	h.t.Helper()
	db, err := h.use(ctx())
	h.must(err)
	return &session{ctx: ctx(), l: h.Ledger, db: db, q: db.Read}
}
