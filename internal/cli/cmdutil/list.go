package cmdutil

import (
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/term"
)

// TableFlags say how much of a long table a terminal shows.
type TableFlags struct{ term.TableOptions }

// Add adds --all and --wide; other is what shows everything beside --all.
func (f *TableFlags) Add(flags *pflag.FlagSet, other string) {
	f.More = "--all or " + other
	flags.BoolVar(&f.All, "all", false, "show every row at a terminal (default: 20)")
	flags.BoolVar(&f.Wide, "wide", false, "show every column, wider than the terminal if need be")
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
