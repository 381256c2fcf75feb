package cmdutil

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/xslices"
)

// WriteOutput writes a file that only its owner can read. It replaces a file
// only when forced, and never goes through a symbolic link.
func WriteOutput(path string, data []byte, force bool) error {
	return StreamOutput(path, force, Whole(data))
}

// OutputFlags say to which file a command writes instead of standard output.
type OutputFlags struct {
	Path  string
	Force bool
}

// Add adds --output and --force.
func (o *OutputFlags) Add(flags *pflag.FlagSet, usage string) {
	flags.StringVarP(&o.Path, "output", "o", "", usage)
	flags.BoolVar(&o.Force, "force", false, "let --output replace an existing file")
}

// Check refuses a file that could not be written afterwards.
func (o *OutputFlags) Check() error {
	if o.Path == "" {
		return nil
	}
	return CheckOutput(o.Path, o.Force)
}

// Write writes to the file, or to standard output.
func (o *OutputFlags) Write(s *term.Streams, c content) error {
	if o.Path == "" {
		return c(s.Out)
	}
	return StreamOutput(o.Path, o.Force, c)
}

// WriteText is Write for text, which a terminal shows without what could move or
// hide anything.
func (o *OutputFlags) WriteText(s *term.Streams, text []byte) error {
	if o.Path == "" && s.OutTTY {
		text = []byte(term.EscapeJSON(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	return o.Write(s, Whole(text))
}

type content func(io.Writer) error

func Whole(data []byte) content { return disk.Whole(data) }

// StreamOutput is writeOutput for what is too long to be held in memory. Where
// the content fails, its error is returned and the place is as it was.
func StreamOutput(path string, force bool, c content) error {
	if err := CheckOutput(path, force); err != nil {
		return err
	}
	if force {
		return replace(path, c)
	}
	// The exclusive flag also refuses a link that came after the look.
	place, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil || place.Close() != nil {
		return Unwritable(path)
	}
	if err := replace(path, c); err != nil {
		_ = os.Remove(path)
		return err
	}
	return nil
}

// CheckOutput refuses a place that cannot be written to. What takes long asks
// before it begins, so that its result has somewhere to go.
func CheckOutput(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return exit.Refused("give the path of a new file", "%s is a symbolic link or not a regular file, so nothing was written to it", path)
	case err == nil && !force:
		return exit.Refused("give --force to replace it, or another file", "%s exists already", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Unwritable(path)
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
		return Unwritable(path)
	}
	return nil
}

// replace puts a new file in the place of a name, whatever the name has become
// since it was looked at.
func replace(path string, c content) error {
	out := &outputFile{}
	var failure error
	err := disk.Replace(path, "."+filepath.Base(path)+"-", 0o600, func(w io.Writer) error {
		out.file = w
		failure = c(out)
		return cmp.Or(out.err, failure)
	})
	switch {
	case err == nil:
		return nil
	case failure != nil && out.err == nil:
		return failure
	}
	return Unwritable(path)
}

// outputFile tells the errors of a file from those of what is written to it.
type outputFile struct {
	file io.Writer
	err  error
}

func (w *outputFile) Write(data []byte) (n int, err error) {
	n, err = w.file.Write(data)
	w.err = cmp.Or(w.err, err)
	return n, err
}

// ReadInput reads a file that a flag names, or an argument where flag is empty.
func ReadInput(flag, path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= most {
		if data, err := os.ReadFile(path); err == nil {
			return data, nil
		}
	}
	return nil, exit.Usage(fmt.Sprintf("give the path of a file that you can read, with at most %d MiB", most>>20), "%s cannot be read", strings.TrimSpace(flag+" "+path))
}

func Unwritable(path string) error {
	return exit.Failed("check that the folder exists and is writable and that the disk is not full", "%s cannot be written", path)
}

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

// ListCommand builds the command that lists what find finds on the ledger or in the
// vault; name is the member of the JSON that holds the rows.
func ListCommand[S, T any](deps *Deps, name, short string, on func(func(context.Context, S, []string) error) func(*cobra.Command, []string) error,
	find func(context.Context, S) (Listing[T], error),
) *cobra.Command {
	var flags ListFlags
	command := &cobra.Command{Use: "list", Short: short, RunE: on(func(ctx context.Context, held S, _ []string) error {
		found, err := find(ctx, held)
		if err != nil {
			return err
		}
		found.Name = name
		return found.Show(deps.IO, &flags)
	})}
	flags.Add(command.Flags(), name)
	return command
}
