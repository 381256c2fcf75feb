package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/schema-N.sql of the schema of now")

// fixtureTables are dumped in this order.
func fixtureTables() []string {
	return []string{"schema_versions", "ledger", "events", "states", "checkpoints"}
}

// dump returns a file as the SQL that makes it.
func (h *house) dump() string {
	h.t.Helper()
	db, err := h.use(ctx())
	h.must(err)
	var text strings.Builder
	h.lines(&text, db, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name`)
	for _, table := range fixtureTables() {
		var columns, values string
		h.must(db.Read.QueryRow(`SELECT group_concat(name, ', '), group_concat('quote(' || name || ')', ' || '', '' || ') FROM pragma_table_info(?)`, table).Scan(&columns, &values))
		h.lines(&text, db, fmt.Sprintf(`SELECT 'INSERT INTO %s (%s) VALUES (' || %s || ')' FROM %s`, table, columns, values, table))
	}
	return text.String()
}

func (h *house) lines(text *strings.Builder, db *opened, query string) {
	h.t.Helper()
	rows, err := db.Read.Query(query)
	h.must(err)
	defer rows.Close()
	for rows.Next() {
		var line string
		h.must(rows.Scan(&line))
		text.WriteString(line + ";\n")
	}
	h.must(rows.Err())
}

// TestEveryEarlierSchemaIsRead opens a file of each schema that there ever was.
// With -update it writes the one of now.
func TestEveryEarlierSchemaIsRead(t *testing.T) {
	t.Parallel()
	versions, err := filepath.Glob("migrations/sqlite/*.sql")
	if err != nil || len(versions) == 0 {
		t.Fatal("no migrations", err)
	}
	if *update {
		name := filepath.Join("testdata", fmt.Sprintf("schema-%d.sql", len(versions)))
		if err := os.WriteFile(name, []byte(furnish(build(t)).dump()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range versions {
		fixture := fmt.Sprintf("schema-%d.sql", n+1)
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", fixture))
			if err != nil {
				t.Fatalf("every schema needs a file of its own time: %v", err)
			}
			h := build(t)
			h.must(os.WriteFile(h.name, nil, 0o600))
			h.sql(string(text))
			if report := h.whole(); report.Entries != 13 {
				t.Errorf("%+v", report)
			}
			if tickets, err := h.Tickets(ctx(), 10); err != nil || len(tickets) != 2 {
				t.Error(tickets, err)
			}
			h.fill(2)
			h.whole()
		})
	}
}
