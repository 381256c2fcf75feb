package search

import (
	"cmp"
	"math"
	"slices"

	"mcp-partner/schemas"
)

// ranked is an operation, by its place in the catalogue, and its score.
type ranked struct {
	operation int
	score     float64
}

const (
	// shareOfWording is what the nearest wording adds to a card's sum.
	shareOfWording = 0.8
	// fullScore is the sum that counts as certain.
	fullScore = 4.0
	// least is the least score of a match; leastShare the least share of the
	// best one's.
	least, leastShare = 0.15, 0.3
)

// rank orders the operations for a wish, best first.
func (ix *Index) rank(w wish) []ranked {
	signals, near := w.signals(), ix.wording.rank(w.tokens)
	var out []ranked
	for i, o := range ix.operations {
		sum := shareOfWording * near[i]
		for _, p := range ix.cards[i] {
			sum += p.weight * signals[p.signal]
		}
		out = append(out, ranked{i, round(min(max(sum/fullScore, 0), 1))})
		if !w.allows(o) && !w.has[whichTool] {
			out[i].score = round(out[i].score / 2)
		}
	}
	slices.SortStableFunc(out, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	return ix.readFirst(w, out)
}

// round keeps three decimals, so that the order of sums does not show.
func round(score float64) float64 { return math.Round(score*1000) / 1000 }

// allows reports whether the words ask for what the operation does: writing,
// or overwriting and removing.
func (w *wish) allows(o schemas.Operation) bool {
	switch o.Effect {
	case schemas.EffectWrite:
		return w.act == registers
	case schemas.EffectDestroy:
		return w.act == updates || w.act == removes
	}
	return true
}

// readFirst holds the two rules of the package: an operation that may not
// stand first gives way to the best one that may.
func (ix *Index) readFirst(w wish, order []ranked) []ranked {
	first := slices.IndexFunc(order, func(r ranked) bool { return w.allows(ix.operations[r.operation]) })
	if first <= 0 {
		return keep(order)
	}
	best := order[first]
	best.score = order[0].score
	return keep(slices.Insert(slices.Delete(order, first, first+1), 0, best))
}

// keep drops what is far behind.
func keep(order []ranked) []ranked {
	for i, r := range order {
		if r.score < least || r.score < order[0].score*leastShare {
			return order[:i]
		}
	}
	return order
}
