// Command train makes search/lexicon.bin of the lexicons and search/model.bin of
// evals: go run ./search/train. It takes
// no network and writes the same bytes on every architecture. With -measure it
// tells how well sources are understood that were held out.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

type options struct {
	evals, folder  string
	measure, wrong bool
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.evals, "evals", "evals", "folder of the utterances")
	flag.StringVar(&o.folder, "search", "search", "folder of the lexicons, and of the files to write")
	flag.BoolVar(&o.measure, "measure", false, "only tell how well sources that were held out are understood")
	flag.BoolVar(&o.wrong, "wrong", false, "with -measure: also print each utterance that is answered wrongly")
	flag.Parse()
	if err := o.run(); err != nil {
		log.Fatal(err)
	}
}

func (o options) run() error {
	c, err := readCorpus(o.evals)
	if err != nil {
		return err
	}
	names, err := directory(o.evals)
	if err != nil {
		return err
	}
	if c.lexicon, err = compileLexicon(o.folder); err != nil {
		return err
	}
	index := search.NewTrained(schemas.Catalogue(), c.lexicon, &search.Model{})
	for i := range c.samples {
		c.samples[i].features = index.Features(c.samples[i].says, names)
	}
	if sources := c.sources(); o.measure {
		heldOut := c.holdOut(sources, len(sources))
		report(os.Stdout, c.judge(heldOut, sharpness(heldOut), names), o.wrong)
		return nil
	}
	model := c.holdOut(nil, 1)[0].weights.quantised(c.classes, sharpness(c.holdOut(c.sources(), folds)))
	head, err := json.Marshal(model)
	if err != nil {
		return err
	}
	return cmp.Or(
		os.WriteFile(filepath.Join(o.folder, "lexicon.bin"), c.lexicon, 0o644),
		os.WriteFile(filepath.Join(o.folder, "model.bin"), slices.Concat(head, []byte("\n"), model.Weights), 0o644),
	)
}

// fold is a part of the samples, and the weights that were found without it.
type fold struct {
	samples []*sample
	weights *weights
}

// folds is the number of parts that give the sharpness. A measurement holds each
// source out by itself, which takes longer.
const folds = 5

func (c *corpus) sources() []string {
	var out []string
	for _, s := range c.samples {
		if s.source != sourceCatalogue && s.source != sourceFrames {
			out = append(out, s.source)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// holdOut divides the sources into parts and trains once without each part.
func (c *corpus) holdOut(sources []string, parts int) []fold {
	out := make([]fold, parts)
	var group sync.WaitGroup
	for part := range out {
		group.Go(func() {
			var others []*sample
			for i := range c.samples {
				s := &c.samples[i]
				if at := slices.Index(sources, s.source); at >= 0 && at%parts == part {
					out[part].samples = append(out[part].samples, s)
				} else {
					others = append(others, s)
				}
			}
			out[part].weights = train(others, len(c.classes))
		})
	}
	group.Wait()
	return out
}

// sharpness finds which one makes the probabilities of held-out samples the
// nearest to the truth, by the sum of squares.
func sharpness(heldOut []fold) float64 {
	best, least := 0.0, 0.0
	for try := 0.25; try <= 6; try += 0.25 {
		m, loss := search.Model{Sharpness: try}, 0.0
		for _, f := range heldOut {
			for _, s := range f.samples {
				loss += float64(s.weight * brier(m.Probabilities(f.weights.scores(s.features)), s.class))
			}
		}
		if best == 0 || loss < least {
			best, least = try, loss
		}
	}
	return best
}

// brier is the sum of the squared errors of probabilities.
func brier(probabilities []float64, class int) float64 {
	loss := 0.0
	for c, p := range probabilities {
		if c == class {
			p = 1 - p
		}
		loss += float64(p * p)
	}
	return loss
}
