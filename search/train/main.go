// Command train makes search/model.bin of evals: go run ./search/train. It takes
// no network and writes the same bytes on every architecture. With -measure it
// tells how well sources are understood that were held out.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

func main() {
	log.SetFlags(0)
	folder := flag.String("evals", "evals", "folder of the utterances")
	out := flag.String("out", "search/model.bin", "file to write")
	measure := flag.Bool("measure", false, "only tell how well sources that were held out are understood")
	flag.Parse()
	if err := run(*folder, *out, *measure); err != nil {
		log.Fatal(err)
	}
}

func run(folder, out string, measure bool) error {
	c, err := readCorpus(folder)
	if err != nil {
		return err
	}
	names, err := directory(folder)
	if err != nil {
		return err
	}
	index := search.New(schemas.Catalogue(), nil)
	for i := range c.samples {
		c.samples[i].features = index.Features(c.samples[i].says, names)
	}
	heldOut := c.holdOut()
	if measure {
		c.report(heldOut)
		return nil
	}
	file, err := fileOf(train(c.samples, len(c.classes)).quantised(c.classes, sharpness(heldOut)))
	if err != nil {
		return err
	}
	return os.WriteFile(out, file, 0o644)
}

// folds is the number of parts that sources are held out in.
const folds = 5

// answer is how a sample that was held out is scored.
type answer struct {
	*sample
	scores []float64
}

// holdOut trains once for each part of the sources and scores that part.
func (c *corpus) holdOut() []answer {
	var sources []string
	for _, s := range c.samples {
		if !slices.Contains(sources, s.source) {
			sources = append(sources, s.source)
		}
	}
	slices.Sort(sources)
	parts := make([][]answer, folds)
	var group sync.WaitGroup
	for part := range parts {
		group.Go(func() {
			var known []sample
			for i := range c.samples {
				s := &c.samples[i]
				if slices.Index(sources, s.source)%folds == part {
					parts[part] = append(parts[part], answer{sample: s})
				} else {
					known = append(known, *s)
				}
			}
			m := train(known, len(c.classes))
			for i, a := range parts[part] {
				parts[part][i].scores = m.scores(a.features)
			}
		})
	}
	group.Wait()
	return slices.Concat(parts...)
}

// sharpness finds which one makes the probabilities of held-out samples the
// nearest to the truth, by the sum of squares.
func sharpness(answers []answer) float64 {
	best, least := 0.0, 0.0
	for try := 0.25; try <= 6; try += 0.25 {
		m, loss := search.Model{Sharpness: try}, 0.0
		for _, a := range answers {
			for c, p := range m.Probabilities(a.scores) {
				if c == a.class {
					p = 1 - p
				}
				loss += float64(p * p * a.weight)
			}
		}
		if best == 0 || loss < least {
			best, least = try, loss
		}
	}
	return best
}

// report tells for each source how many samples stand first and among three.
func (c *corpus) report(answers []answer) {
	type tally struct{ first, three, all int }
	counts := map[string]*tally{}
	var keys []string
	for _, a := range answers {
		place := 0
		for class, score := range a.scores {
			if score > a.scores[a.class] && (class < len(c.classes)-1 || place == 0) {
				place++
			}
		}
		for _, key := range []string{a.source, "= " + c.classes[a.class]} {
			if counts[key] == nil {
				counts[key] = &tally{}
				keys = append(keys, key)
			}
			t := counts[key]
			t.all++
			t.first += b2i(place == 0)
			t.three += b2i(place < 3)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		t := counts[key]
		fmt.Printf("%-28s first %.3f  among three %.3f  of %d\n", key, float64(t.first)/float64(t.all), float64(t.three)/float64(t.all), t.all)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
