package cli

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"mcp-partner/internal/clientfile"
)

// ours returns the entry that stands there already, as this program would write
// it, or nothing where there is none. An entry that leads to another program is
// refused: whoever put it there needs it.
func (o *clientOptions) ours(file clientfile.File) (block []byte, err error) {
	old, found, err := o.client.Find(file.Text, o.name)
	switch {
	case err != nil:
		return nil, untouched(file.Path, err)
	case !found:
		return nil, nil
	case old.URL == "" && !startsThis(old):
		return nil, refused("choose another with --name, or take that entry out by hand",
			"%s has another program under the name %s, so %s was left as it is", o.client.Title, o.name, file.Path)
	}
	block, err = o.client.Print(o.name, presentable(old))
	if err != nil {
		return nil, untouched(file.Path, err)
	}
	return block, nil
}

// startsThis reports whether an entry starts this program, perhaps an older
// copy of it that lies elsewhere.
func startsThis(s clientfile.Server) bool {
	name := s.Command[strings.LastIndexAny(s.Command, `/\`)+1:]
	if own, err := thisProgram(); err == nil && name == filepath.Base(own) {
		return true
	}
	return strings.HasPrefix(name, "mcp-partner") || slices.Contains(s.Args, "serve") && slices.Contains(s.Args, "--state-dir")
}

// presentable leaves out of a URL what may be a secret that somebody wrote there.
func presentable(s clientfile.Server) clientfile.Server {
	u, err := url.Parse(s.URL)
	if s.URL == "" || err != nil {
		s.URL = strings.Repeat("?", min(1, len(s.URL)))
		return s
	}
	s.URL = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return s
}

// difference compares two entries line by line: what they begin and end with
// alike stands once.
func difference(before, after string) []string {
	old, now := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	begin := 0
	for begin < min(len(old), len(now)) && old[begin] == now[begin] {
		begin++
	}
	end := 0
	for end < min(len(old), len(now))-begin && old[len(old)-1-end] == now[len(now)-1-end] {
		end++
	}
	var lines []string
	add := func(mark string, part []string) {
		for _, line := range part {
			lines = append(lines, mark+strings.TrimRight(line, "\n"))
		}
	}
	add("  ", now[:begin])
	add("- ", old[begin:len(old)-end])
	add("+ ", now[begin:len(now)-end])
	add("  ", now[len(now)-end:])
	return lines
}

// changedLines shows changed lines, each kind in a colour of its own.
func (u *ui) changedLines(lines []string) {
	u.blank()
	for _, line := range lines {
		u.line(map[byte]style{'+': good, '-': bad, ' ': plain}[line[0]], "  "+line)
	}
	u.blank()
}
