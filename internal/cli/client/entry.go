package client

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// ours returns the existing entry, as this program would write it, or nil. It
// refuses an entry that starts another program, which somebody needs.
func (o *ClientOptions) ours(file clientfile.File) (block []byte, err error) {
	old, found, err := o.client.Find(file.Text, o.Name)
	switch {
	case err != nil:
		return nil, untouched(file.Path, err)
	case !found:
		return nil, nil
	case old.URL == "" && !startsThis(old):
		return nil, exit.Refused("choose another name with --name, or remove that entry by hand",
			"%s has another program under the name %s, so %s was not changed", o.client.Title, o.Name, file.Path)
	}
	block, err = o.client.Set(nil, o.Name, presentable(old))
	if err != nil {
		return nil, untouched(file.Path, err)
	}
	return block, nil
}

// startsThis reports whether an entry starts this program, perhaps an older
// copy of it that lies elsewhere. Somebody else's may have a name that begins
// with ours.
func startsThis(s clientfile.Server) bool {
	serves := slices.Contains(s.Args, "serve")
	return isThis(s.Command) || serves && (strings.HasPrefix(fileName(s.Command), programName) || slices.Contains(s.Args, "--state-dir"))
}

// isThis reports whether a command is this program by its name.
func isThis(command string) bool {
	name := fileName(command)
	own, err := thisProgram()
	return err == nil && name == filepath.Base(own) || strings.TrimSuffix(name, ".exe") == programName
}

// fileName is the last part of a path of any system.
func fileName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// programName is the default name of the program.
const programName = "mcp-partner"

// keptFields lists the fields of the entry that a person or the author of a
// project's file added. A variable of this program is a server setting like the
// flags shown.
func keptFields(u *term.UI, kept []string) {
	if len(kept) == 0 {
		return
	}
	names := xslices.Map(kept, func(name string) string { return untrusted.Sanitize(name) })
	u.Field("kept", strings.Join(names, ", "))
	if slices.ContainsFunc(kept, func(name string) bool {
		return strings.HasPrefix(strings.ToUpper(name), "ENV "+config.Prefix) || name == "envFile"
	}) {
		u.Line(term.Warn, "The settings that were kept also decide what the server may do, and this program did not write them. Check them in the file.")
	}
}

// presentable leaves out what may be a secret that somebody wrote there: all of a
// URL but where it leads, and the arguments of a program that starts this one, such
// as docker. Our own flags take no secret.
func presentable(s clientfile.Server) clientfile.Server {
	if s.URL == "" && !isThis(s.Command) {
		s.Args = []string{"(not shown)"}
	}
	if s.URL == "" {
		return s
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		s.URL = "?"
		return s
	}
	s.URL = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return s
}

// showDifference shows two entries line by line, each kind of change in a colour of
// its own.
func showDifference(u *term.UI, before, after []byte) {
	u.Blank()
	const head = "@@\n" // of the one part that an entry is short enough for
	_, lines, _ := strings.Cut(string(diff.Diff("", before, "", after)), head)
	for line := range strings.Lines(lines) {
		u.Line(map[byte]term.Style{'+': term.Good, '-': term.Bad}[line[0]], "  "+line[:1]+" "+strings.TrimRight(line[1:], "\n"))
	}
	u.Blank()
}
