package cmdutil

import (
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/xslices"
)

// TableFlags say how much of a long table a terminal shows.
type TableFlags struct{ term.TableOptions }

// Add adds --all and --wide; other is what shows everything beside --all.
func (f *TableFlags) Add(flags *pflag.FlagSet, other string) {
	f.More = "--all or " + other
	flags.BoolVar(&f.All, "all", false, "show every row at a terminal (default: 20)")
	flags.BoolVar(&f.Wide, "wide", false, "show every column, even wider than the terminal")
}

// ListFlags are those of a command that lists something.
type ListFlags struct {
	TableFlags
	JSON bool
}

// Add adds --json, --all and --wide; name is the member that holds the list.
func (f *ListFlags) Add(flags *pflag.FlagSet, name string) {
	flags.BoolVar(&f.JSON, "json", false, "print {\""+name+"\":[...]}")
	f.TableFlags.Add(flags, "--json")
}

// UI writes tables as the flags say.
func (f *TableFlags) UI(s *term.Streams) *term.UI {
	u := s.UI()
	u.Tables = f.TableOptions
	return u
}

// Listing is a list for a person and for a program.
type Listing[T any] struct {
	// Name is the member of the JSON that holds the rows.
	Name string
	Rows []T
	// Empty is said where there is no row, Next what to run then.
	Empty, Next string
	Header      []string
	Cells       func(T) []string
}

// Show writes the rows as JSON or as a table.
func (l Listing[T]) Show(s *term.Streams, f *ListFlags) error {
	if f.JSON {
		return s.PrintJSON(map[string][]T{l.Name: append([]T{}, l.Rows...)})
	}
	u := f.UI(s)
	if len(l.Rows) == 0 {
		u.Line(term.Plain, l.Empty)
		u.Field("next", l.Next)
	}
	cells := xslices.Map(l.Rows, func(row T) []string { return l.Cells(row) })
	u.Table(l.Header, cells)
	return u.Err
}
