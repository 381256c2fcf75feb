package term

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var tableHeader = []string{"STATE", "TENANT", "CLOUD", "PARTNER", "NOTE"}

func tableRows(n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		rows[i] = []string{"not linked", fmt.Sprintf("tenant-%03d", i), "public", "Contoso Cloud Services " + fmt.Sprint(i), "a note that is longer than most, about tenant " + fmt.Sprint(i)}
	}
	return rows
}

func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 60, 80, 120} {
		for _, more := range []string{"", "--all or --json"} {
			var out bytes.Buffer
			(&UI{Out: &out, Width: width, Tables: TableOptions{More: more}}).Table(tableHeader, tableRows(5))
			for line := range strings.Lines(out.String()) {
				if n := columns(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("width %d, more %q: a line of %d columns: %s", width, more, n, line)
				}
			}
			for _, want := range []string{"In every row: STATE not linked, CLOUD public", "tenant-004"} {
				if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
					t.Errorf("width %d, more %q: %q is missing in\n%s", width, more, want, out.String())
				}
			}
		}
	}
}

// What no option would show stands below its row: an approver must see it.
func TestNarrowTablesMoveColumnsBelowRow(t *testing.T) {
	t.Parallel()
	header := []string{"TENANT", "NEW ID", "NOTE"}
	rows := [][]string{{strings.Repeat("a", 25), strings.Repeat("1", 10), "cannot be undone"}, {strings.Repeat("b", 25), "2", "is fine"}}
	var out bytes.Buffer
	(&UI{Out: &out, Width: 42}).Table(header, rows)
	want := "  TENANT                     NEW ID\n" +
		"  aaaaaaaaaaaaaaaaaaaaaaaaa  1111111111\n    note: cannot be undone\n" +
		"  bbbbbbbbbbbbbbbbbbbbbbbbb  2\n    note: is fine\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// The company stands first, and makes room for what says which tenant has which ID.
func TestTablesDropCompanyFirst(t *testing.T) {
	t.Parallel()
	header := []string{"STATE", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "LABELS"}
	rows := [][]string{{"linked", "Contoso Limited Company", "contoso.example", "contoso", "1234567", "emea"}, {"linked other", "Fabrikam", "fabrikam.example", "fabrikam", "7654321", "apac"}}
	for width, want := range map[int]string{
		100: "STATE COMPANY DOMAIN TENANT PARTNER ID LABELS", 85: "STATE COMPANY DOMAIN TENANT PARTNER ID", 65: "STATE COMPANY TENANT PARTNER ID",
		40: "STATE TENANT PARTNER ID", 25: "STATE TENANT",
	} {
		var out bytes.Buffer
		(&UI{Out: &out, Width: width, Tables: TableOptions{More: "--all or --json"}}).Table(header, rows)
		if line, _, _ := strings.Cut(out.String(), "\n"); strings.Join(strings.Fields(line), " ") != want {
			t.Errorf("width %d shows %s, want %s", width, line, want)
		}
		if width == 25 && !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "Not shown: COMPANY, DOMAIN, PARTNER ID, LABELS") {
			t.Errorf("width %d:\n%s", width, out.String())
		}
	}
}

func TestLongTablesNameOptionForMoreRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		width       int
		options     TableOptions
		rows        int
		first, last string
		more        string
	}{
		{
			name: "at a terminal", width: 120, options: TableOptions{More: "--all or --format csv"}, rows: 20, first: "tenant-000",
			last: "tenant-019", more: "180 more: --all or --format csv",
		},
		{
			name: "the newest", width: 120, options: TableOptions{More: "--all or --json", Newest: true}, rows: 20, first: "tenant-180",
			last: "tenant-199", more: "180 more: --all or --json",
		},
		{name: "all", width: 120, options: TableOptions{More: "--all or --json", All: true}, rows: 200, first: "tenant-000", last: "tenant-199"},
		{name: "in a pipe", options: TableOptions{More: "--all or --json"}, rows: 200, first: "tenant-000", last: "tenant-199"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			(&UI{Out: &out, Width: c.width, Tables: c.options}).Table(tableHeader, tableRows(200))
			text := out.String()
			if strings.Count(text, "tenant-") != c.rows || !strings.Contains(text, c.first) || !strings.Contains(text, c.last) {
				t.Errorf("shows %d rows", strings.Count(text, "tenant-"))
			}
			if got := strings.Contains(text, " more: "); got != (c.more != "") || !strings.Contains(text, c.more) {
				t.Errorf("ends with %q", text[max(0, len(text)-100):])
			}
		})
	}
}

func TestWideTablesKeepEveryColumn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wide  bool
		notes int
		said  bool
	}{{wide: true, notes: 3}, {said: true}} {
		var out bytes.Buffer
		(&UI{Out: &out, Width: 40, Tables: TableOptions{More: "--all or --json", Wide: c.wide}}).Table(tableHeader, tableRows(3))
		if strings.Count(out.String(), "a note that") != c.notes || strings.Contains(out.String(), "Not shown: NOTE (--wide)") != c.said {
			t.Errorf("wide %v:\n%s", c.wide, out.String())
		}
	}
}

func TestLongTableEndsWithTheErrorOfItsRows(t *testing.T) {
	t.Parallel()
	broken := errors.New("a row is damaged")
	err := (&UI{Out: &bytes.Buffer{}}).LongTable([]string{"A"}, func(yield func([]string, error) bool) { yield(nil, broken) })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}
