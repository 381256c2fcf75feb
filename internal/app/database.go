package app

import (
	"bytes"
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/sharedfiles"
	"mcp-partner/internal/untrusted"
	"mcp-partner/ledger"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// maxDatabaseURL bounds the file with the URL, in bytes.
const maxDatabaseURL = 4 << 10

// sharedDatabase is the database of all servers, and the files that are in it.
type sharedDatabase struct {
	server *database.Server
	files  *sharedfiles.Files
}

// database is nil where everything is in the state directory.
func (s *Settings) database() (*sharedDatabase, error) {
	if s.DatabaseURLFile == "" || s.shared != nil {
		return s.shared, nil
	}
	text, err := disk.ReadTrusted(s.DatabaseURLFile, disk.Secret, maxDatabaseURL)
	if err != nil {
		return nil, exit.FileError("--database-url-file", s.DatabaseURLFile, "give a file that you can read", err)
	}
	server, err := database.ParseURL(string(text))
	if err != nil {
		return nil, exit.Usage("correct the file", "the URL in %s %s", s.DatabaseURLFile, err)
	}
	s.shared = &sharedDatabase{server, sharedfiles.New(server, ledger.Migrations())}
	return s.shared, nil
}

// Files is where vault and directory are kept: the database where there is one, else
// the state directory.
func (s *Settings) Files() (disk.Dir, error) {
	where := s.Disk()
	shared, err := s.database()
	if err != nil {
		return where, err
	}
	if err := s.checkMoved(where, shared != nil); err != nil || shared == nil {
		return where, err
	}
	where.Shared = &disk.Shared{Files: shared.files, Place: shared.files.Place(), URLFile: s.DatabaseURLFile}
	return where, nil
}

// MovedMark is a file in a state directory whose files are in the database. It
// names the database.
const MovedMark = "moved-to-database"

// ownFiles are files that a state directory has while it is in use.
var ownFiles = []string{"vault.age", tenants.DirectoryFile}

// checkMoved refuses a state directory that is not where changes belong: they
// would be seen by nobody else.
func (s *Settings) checkMoved(where disk.Dir, shared bool) error {
	_, err := os.Lstat(where.File(MovedMark))
	moved := err == nil && !s.migrating
	if moved && !shared {
		place, _ := os.ReadFile(where.File(MovedMark)) // one that cannot be read counts too
		return exit.Refused("give --database-url-file FILE, or go back: mcp-partner migrate --back --database-url-file FILE",
			"the files of %s were moved and are %s", where.Path, untrusted.Sanitize(string(place)))
	}
	if moved || !shared {
		return nil
	}
	for _, name := range ownFiles {
		if _, err := os.Lstat(where.File(name)); err == nil {
			return &exit.Error{Code: exit.CodeRefused, Message: where.File(name) + " is not in the database",
				Next: "move it there, or move it away if it is of no use any more", Command: "mcp-partner migrate --to-database"}
		}
	}
	return nil
}

// movedFiles are the files that move as they are. Health of credentials and what is
// learned again stay behind.
var movedFiles = []string{"backend.json", "vault.age", "vault.generation", "vault.counter", "pec-reconcile.json"}

// Migration is what moves from a state directory into the database.
type Migration struct {
	Place string   `json:"place"`
	Files []string `json:"files"`
	// Rows counts the rows of each table of the ledger; Last and Head are its end.
	Rows map[string]int64 `json:"rows"`
	Last int64            `json:"last"`
	Head string           `json:"head"`
	// Moved is true where all of it is in the database.
	Moved bool `json:"moved"`
}

// migration has both places open.
type migration struct {
	Migration
	local  *App
	shared disk.Dir
	closes *sharedfiles.Files
	record *ledger.Ledger
	files  map[string][]byte
	head   ledger.Head
}

// Migrate moves the state directory into the database, or says what would move. A
// move that was interrupted goes on where it was.
func (s *Settings) Migrate(ctx context.Context, execute bool) (Migration, error) {
	m, err := s.openMigration(ctx, execute)
	if err != nil {
		return Migration{}, err
	}
	defer m.close()
	if !disk.StampOf(s.Disk().File(MovedMark)).Missing() {
		return Migration{}, exit.Refused("go on with the database", "%s was moved already", s.Disk().Path)
	}
	if err := m.checkTarget(ctx); err != nil {
		return Migration{}, err
	}
	if execute {
		err = m.execute(ctx)
	}
	return m.Migration, err
}

// MigrateBack lets the state directory be used again, as long as nothing was written
// to the database since it was moved.
func (s *Settings) MigrateBack(ctx context.Context) error {
	m, err := s.openMigration(ctx, true)
	if err != nil {
		return err
	}
	defer m.close()
	mark := s.Disk().File(MovedMark)
	place, err := os.ReadFile(mark)
	if err != nil {
		return exit.Refused("go on with the state directory", "%s was not moved", s.Disk().Path)
	}
	now, files, err := m.look(ctx)
	switch {
	case err != nil:
		return err
	case m.head.Ledger != "" && now.Ledger != m.head.Ledger:
		return exit.Refused("name the database to which it was moved", "--database-url-file names another ledger than that of the state directory, whose files are %s", untrusted.Sanitize(strings.TrimSpace(string(place))))
	case !m.endsLike(now):
		return exit.Refused("go on with the database", "the ledger in the database has entry %d and that of the state directory ends with %d: what was approved and done since would be forgotten", now.Seq, m.head.Seq)
	}
	for name, data := range m.files {
		if !bytes.Equal(files[name], data) {
			return exit.Refused("go on with the database", "%s is another one by now", m.shared.File(name))
		}
	}
	return os.Remove(mark)
}

// look reads what the database holds of what moves, and writes nothing there.
func (m *migration) look(ctx context.Context) (end ledger.Head, files map[string][]byte, err error) {
	files, err = m.closes.Look(ctx, m.Files, func(q database.Querier) error {
		end, err = ledger.EndIn(ctx, q)
		return err
	})
	return end, files, err
}

// endsLike compares ends. An empty ledger has no hash in the database.
func (m *migration) endsLike(end ledger.Head) bool {
	return end.Seq == m.head.Seq && (end.Seq == 0 || end.Hash == m.head.Hash)
}

// checkTarget refuses a database into which this cannot move. Nothing is made there.
func (m *migration) checkTarget(ctx context.Context) error {
	end, files, err := m.look(ctx)
	if err != nil {
		return err
	}
	for _, name := range m.Files {
		if data, ok := files[name]; ok && !bytes.Equal(data, m.files[name]) {
			return exit.Refused("give a database that holds nothing else", "%s is another one", m.shared.File(name))
		}
	}
	switch {
	case m.head.Ledger == "" || end.Ledger == "":
		return nil
	case end.Ledger != m.head.Ledger:
		return exit.Refused("give a database that holds nothing else", "the ledger %s is another one", m.Place)
	case !m.endsLike(end):
		return exit.Refused("go on with the database", "the ledger %s has entry %d and that of the state directory ends with %d", m.Place, end.Seq, m.head.Seq)
	}
	return nil
}

// use keeps a move out for as long as the state directory is in use, and others for as
// long as it is moved.
func (s *Settings) use() (release func(), err error) {
	if s.shared != nil {
		return func() {}, nil
	}
	release, ok, err := s.Disk().Use(s.moving)
	switch {
	case err != nil || ok:
		return release, err
	case s.moving:
		return nil, exit.Refused("stop all servers and commands that use it, then try again", "%s is in use by another process", s.Disk().Path)
	}
	return nil, exit.Refused("wait until mcp-partner migrate has ended, then try again", "%s is being moved", s.Disk().Path)
}

// openMigration opens both places, the state directory alone where it will be changed.
func (s *Settings) openMigration(ctx context.Context, changes bool) (m *migration, err error) {
	shared, err := s.database()
	if err != nil {
		return nil, err
	}
	if shared == nil {
		return nil, exit.Usage("give --database-url-file FILE", "no database is named")
	}
	here := *s
	here.DatabaseURLFile, here.shared, here.migrating, here.moving = "", nil, true, changes
	m = &migration{shared: s.Disk(), closes: shared.files, files: map[string][]byte{}}
	m.Place = shared.files.Place()
	m.shared.Shared = &disk.Shared{Files: shared.files, Place: m.Place, URLFile: s.DatabaseURLFile}
	if m.local, err = here.Open(nil); err != nil {
		return nil, err
	}
	m.record = ledger.Open(ledger.Options{Dir: s.Disk(), Server: shared.server, Keys: lookingKeys{m.local.Keyring}, Program: BuildInfo().Version})
	if err := m.gather(ctx); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// lookingKeys keep the counter as it is: that of the state directory must not learn
// of entries that are in the database alone.
type lookingKeys struct{ *vault.Keyring }

// SetCounter implements ledger.Keys.
func (lookingKeys) SetCounter(context.Context, int64) error { return nil }

func (m *migration) close() {
	_ = m.record.Close() // nothing is written through it
	_ = m.closes.Close()
	m.local.Close()
}

// gather reads what moves: the ledger first, whose first head changes the vault.
func (m *migration) gather(ctx context.Context) error {
	if err := m.local.Open(ctx); err != nil {
		return err
	}
	record := m.local.Ledger
	err := m.local.MissingLedger(ctx)
	if record.Begun() {
		m.head, err = record.Head(ctx)
		m.Last, m.Head = m.head.Seq, m.head.Hash.String()
		if err == nil {
			m.Rows, err = record.TableRows(ctx)
		}
	}
	if err != nil {
		return err
	}
	return m.read()
}

// read reads the files. Pins become a part of the directory.
func (m *migration) read() (err error) {
	for _, name := range movedFiles {
		if m.files[name], _, err = m.local.Files.Read(name); err != nil {
			return err
		}
	}
	if m.files[tenants.DirectoryFile], err = (tenants.Files{Dir: m.local.Files}).Export(); err != nil {
		return err
	}
	maps.DeleteFunc(m.files, func(_ string, data []byte) bool { return data == nil })
	m.Files = slices.Sorted(maps.Keys(m.files))
	return nil
}

func (m *migration) execute(ctx context.Context) error {
	unlock, err := m.shared.Lock(ctx, "migrate.lock")
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range m.Files {
		now, seen, err := m.shared.Read(name)
		switch {
		case err != nil:
			return err
		case seen.Missing():
			err = m.shared.Write(name, m.files[name])
		case !bytes.Equal(now, m.files[name]):
			err = exit.Refused("give a database that holds nothing else", "%s is another one", m.shared.File(name))
		}
		if err != nil {
			return err
		}
	}
	if m.head.Ledger != "" {
		if err := m.moveLedger(ctx); err != nil {
			return err
		}
	}
	m.Moved = true
	return m.local.Files.Write(MovedMark, []byte(m.Place+"\n"))
}

// moveLedger copies and verifies: both are whole and have one end.
func (m *migration) moveLedger(ctx context.Context) error {
	if _, err := m.local.Ledger.CopyTo(ctx, m.record); err != nil {
		return err
	}
	for _, record := range []*ledger.Ledger{m.local.Ledger, m.record} {
		report, err := record.Verify(ctx, []ledger.Head{m.head})
		if err != nil {
			return err
		}
		if !report.Whole() || report.Last != m.Last {
			return exit.Failed("mcp-partner ledger verify", "the ledger %s is not what was to be moved: it has findings or another end", record.Path())
		}
	}
	return nil
}
