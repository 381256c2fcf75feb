package main

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

type sample struct {
	says, tool, language string
	class                int
	weight               float64
	// source is the file that it comes from, without its language: what is
	// held out together.
	source   string
	features []search.Feature
}

type utteranceFile struct {
	Language string
	// Says are utterances by tool.
	Says map[string][]string
	// Utterances say more of each.
	Utterances []struct {
		Says, Tool, Language string
		OutOfScope           bool `yaml:"out_of_scope"`
	}
}

// The sources that nobody wrote as utterances are never held out.
const sourceCatalogue, sourceFrames = "catalogue", "frames"

// classes lists the operations of the catalogue and the class of requests out
// of scope.
func classes() []string {
	var out []string
	for _, o := range schemas.Catalogue() {
		out = append(out, o.Name)
	}
	return append(out, search.NotHere)
}

// corpus is what is learnt from: utterances, titles and summaries of the
// catalogue, and orders about things of others.
type corpus struct {
	classes []string
	samples []sample
	// lexicon is the file that the samples are read with.
	lexicon []byte
}

func readCorpus(folder string) (*corpus, error) {
	c := &corpus{classes: classes()}
	paths, err := filepath.Glob(filepath.Join(folder, "intents", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := c.readUtterances(path); err != nil {
			return nil, err
		}
	}
	for _, o := range schemas.Catalogue() {
		c.add(sourceCatalogue, "en", o.Name, o.Title, 1)
		c.add(sourceCatalogue, "en", o.Name, o.Summary, 1)
	}
	return c, c.readFrames(filepath.Join(folder, "frames.yaml"))
}

// add takes an utterance in, unless the catalogue lacks its operation.
func (c *corpus) add(source, language, tool, says string, weight float64) {
	if class := slices.Index(c.classes, tool); class >= 0 {
		c.samples = append(c.samples, sample{says: says, tool: tool, language: language, class: class, weight: weight, source: source})
	}
}

// languageSuffix is the end of the name of a file that has one language.
var languageSuffix = regexp.MustCompile(`-?(de|en|es|fr|it|ja|ko|nl|pl|pt|zh)$`)

func (c *corpus) readUtterances(path string) error {
	var file utteranceFile
	if err := readYAML(path, &file); err != nil {
		return err
	}
	source := languageSuffix.ReplaceAllString(strings.TrimSuffix(filepath.Base(path), ".yaml"), "")
	source = cmp.Or(source, "basic")
	for _, u := range file.Utterances {
		if u.OutOfScope {
			u.Tool = search.NotHere
		}
		c.add(source, cmp.Or(u.Language, file.Language), u.Tool, u.Says, 1)
	}
	for _, tool := range c.classes {
		for _, says := range file.Says[tool] {
			c.add(source, file.Language, tool, says, 1)
		}
	}
	return nil
}

// frames are sentences of one language with gaps. Commands, things and places
// make orders out of scope.
type frames struct {
	Verbs []struct {
		Do, Done, Doing, Tool string
	}
	Questions, Orders        []string
	Commands, Things, Places []string
}

const (
	// frameWeight is what a filled frame counts, and frameStep takes one in so
	// many of the foreign orders: they are all alike.
	frameWeight = 0.2
	frameStep   = 3
	// framePlace is in the questions that are about one link.
	framePlace = "contoso"
)

func (c *corpus) readFrames(path string) error {
	file := map[string]frames{}
	if err := readYAML(path, &file); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		c.addForeign(name, file[name])
		c.addFilled(name, file[name])
	}
	return nil
}

func (c *corpus) addForeign(language string, f frames) {
	n := 0
	for _, command := range f.Commands {
		for _, thing := range f.Things {
			for _, place := range f.Places {
				if n++; n%frameStep == 0 {
					c.add(sourceFrames, language, search.NotHere, command+" "+thing+" "+place, frameWeight)
				}
			}
		}
	}
}

// addFilled puts every verb into every order and every question about one link.
func (c *corpus) addFilled(language string, f frames) {
	for _, v := range f.Verbs {
		gaps := strings.NewReplacer("{do}", v.Do, "{done}", v.Done, "{doing}", v.Doing)
		for _, order := range f.Orders {
			c.add(sourceFrames, language, v.Tool, gaps.Replace(order), frameWeight)
		}
		for _, question := range f.Questions {
			if strings.Contains(strings.ToLower(question), framePlace) {
				c.add(sourceFrames, language, schemas.ToolCheckPartnerLink, gaps.Replace(question), frameWeight)
			}
		}
	}
}

func directory(folder string) (*search.Names, error) {
	var tenants []struct {
		Name        string
		TenantID    string `yaml:"tenant_id"`
		Domains     []string
		DisplayName string `yaml:"display_name"`
	}
	if err := readYAML(filepath.Join(folder, "directory.yaml"), &tenants); err != nil {
		return nil, err
	}
	var names []search.TenantName
	for _, t := range tenants {
		names = append(names, search.TenantName(t))
	}
	return search.NewNames(names), nil
}

func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}
