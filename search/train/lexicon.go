package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcp-partner/search"
)

// The lexicons hold one concept a line, "concept: term, term". A term is one
// word or a phrase. A star ends a stem (verknüpf*); an underscore stands for
// up to eight words (take _ off). The file name is the language; "any" holds
// what is the same in all of them, such as the names of commands.

// mended are the concepts whose words are mended where they are misspelt, and
// leastMended is the least length, in bytes, of such a word.
var mended = []string{"register", "update", "remove", "linked", "updated", "removed", "read", "list", "pal", "mpn", "partner", "link", "tenant"}

const leastMended = 4

// compiled is a lexicon file in the making.
type compiled struct {
	// meanings are those of each key, "language concept, language concept".
	meanings map[uint64]string
	mendable []string
}

// compileLexicon makes the file that search embeds of its folder.
func compileLexicon(folder string) ([]byte, error) {
	c := &compiled{meanings: map[uint64]string{}}
	paths, err := filepath.Glob(filepath.Join(folder, "lexicon", "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := c.read(strings.TrimSuffix(filepath.Base(path), ".txt"), string(text)); err != nil {
			return nil, err
		}
	}
	ordinary, err := os.ReadFile(filepath.Join(folder, "ordinary.txt"))
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(ordinary)) {
		c.meanings[search.Step(search.Ordinary, word, false)] = ""
	}
	return c.file()
}

func (c *compiled) read(language, text string) error {
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		concept, terms, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("lexicon %s, line %d: no concept", language, n+1)
		}
		for term := range strings.SplitSeq(search.Fold(terms), ",") {
			c.add(language, concept, strings.Fields(term))
		}
	}
	return nil
}

func (c *compiled) add(language, concept string, fields []string) {
	at := search.Terms
	for n, field := range fields {
		texts := search.Tokens(field)
		if field == search.Gap {
			texts = []string{search.Gap}
		}
		for i, text := range texts {
			last := i == len(texts)-1
			stem := last && strings.HasSuffix(field, "*")
			at = search.Step(at, text, stem)
			if last && n == len(fields)-1 && c.meanings[at] != "" {
				c.meanings[at] += ", "
			}
			if c.meanings[at] += ""; last && n == len(fields)-1 {
				c.meanings[at] += language + " " + concept
			}
			c.meanings[search.Step(search.Words, text, stem)] = ""
			if len(fields) == 1 && len(texts) == 1 {
				c.noteMendable(concept, text, stem)
			}
		}
	}
}

// noteMendable keeps a word of Latin letters that a misspelt one may have meant.
func (c *compiled) noteMendable(concept, text string, stem bool) {
	if stem {
		text += "*"
	}
	if slices.Contains(mended, concept) && len(text) >= leastMended && text[0] >= 'a' && text[0] <= 'z' {
		c.mendable = append(c.mendable, text)
	}
}

// file writes the entries, sorted, below a line of JSON.
func (c *compiled) file() ([]byte, error) {
	slices.Sort(c.mendable)
	said := search.Lexicon{Mendable: slices.Compact(c.mendable), Meanings: slices.Compact(slices.Sorted(maps.Values(c.meanings)))}
	out, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	out = append(out, '\n')
	const low = 1<<search.EntryBits - 1
	entries := make([]uint64, 0, len(c.meanings))
	for key, list := range c.meanings {
		place, _ := slices.BinarySearch(said.Meanings, list)
		entries = append(entries, key&^low|uint64(place))
	}
	slices.Sort(entries)
	for _, entry := range entries {
		out = binary.LittleEndian.AppendUint64(out, entry)
	}
	return out, nil
}
