package pec

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
)

//go:embed roles.csv
var builtIn []byte

// List says which Azure roles are eligible for partner earned credit.
type List struct {
	// Date is when the list was published, as 2020-12; after an override it names
	// both dates.
	Date   string
	Source string
	roles  map[string]listed
}

type listed struct {
	name     string
	standing standing
}

type standing int

const (
	unlisted standing = iota
	notEligible
	eligible
)

// BuiltIn returns Microsoft's published list.
var BuiltIn = sync.OnceValue(func() *List {
	list, err := parse(bytes.NewReader(builtIn), false)
	if err != nil {
		panic(err) // a test reads the file
	}
	return list
})

// Override returns the list with the changes of a file: rows add or change a
// role, and rows whose third column is "remove" take one out. The file needs a
// line "# date: 2026-11".
func (l *List) Override(file io.Reader) (*List, error) {
	changes, err := parse(file, true)
	if err != nil {
		return nil, err
	}
	merged := &List{Date: l.Date + ", changed " + changes.Date, Source: l.Source, roles: maps.Clone(l.roles)}
	for id, role := range changes.roles {
		if role.name == "" {
			delete(merged.roles, id)
			continue
		}
		merged.roles[id] = role
	}
	return merged, nil
}

func (l *List) lookup(roleID string) (string, standing) {
	role := l.roles[roleID]
	return role.name, role.standing
}

// parse reads a list. Only an override may remove roles.
func parse(file io.Reader, override bool) (*List, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("list of roles: %w", err)
	}
	list := &List{roles: map[string]listed{}}
	if err := list.readHead(string(text)); err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord, reader.Comment = 3, '#'
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list of roles: %w", err)
		}
		line, _ := reader.FieldPos(0)
		if err := list.add(record, override); err != nil {
			return nil, fmt.Errorf("list of roles, line %d: %w", line, err)
		}
	}
}

// readHead reads the comments at the top, which hold source and date.
func (l *List) readHead(text string) error {
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		name, value, _ := strings.Cut(comment, ":")
		switch strings.TrimSpace(name) {
		case "date":
			l.Date = strings.TrimSpace(value)
		case "source":
			l.Source = strings.TrimSpace(value)
		}
	}
	for _, layout := range []string{"2006-01", time.DateOnly} {
		if _, err := time.Parse(layout, l.Date); err == nil {
			return nil
		}
	}
	return errors.New(`list of roles: it needs a line "# date: 2026-11" above its rows, with the month in which the list was published`)
}

func (l *List) add(record []string, override bool) error {
	id, name, verdict := strings.ToLower(strings.TrimSpace(record[0])), untrusted.Sanitize(record[1]), strings.TrimSpace(record[2])
	if id == "role_definition_guid" {
		return nil
	}
	_, twice := l.roles[id]
	switch {
	case !naming.IsGUID(id):
		return fmt.Errorf("%q is not the GUID of a role definition", record[0])
	case twice:
		return fmt.Errorf("role %s appears twice", id)
	case verdict == "remove" && override:
		l.roles[id] = listed{}
		return nil
	case name == "":
		return fmt.Errorf("role %s has no name", id)
	case verdict != "yes" && verdict != "no":
		return fmt.Errorf("role %s: eligible is %q; use yes or no (or remove, in an override)", id, record[2])
	}
	l.roles[id] = listed{name, map[string]standing{"yes": eligible, "no": notEligible}[verdict]}
	return nil
}
