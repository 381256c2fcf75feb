package term

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"mcp-partner/internal/xslices"
)

// shownRows is how many rows of a long table a terminal shows.
const shownRows = 20

// TableOptions say how tables fit a terminal. In a pipe or a file every row and
// every column is written.
type TableOptions struct {
	// More names what shows the rest of a long table, such as "--all or --json";
	// without it every row is shown, and columns that do not fit stand below
	// their row.
	More string
	// All shows every row, Wide every column in its full width. Newest shows the
	// last rows of a long table instead of the first.
	All, Wide, Newest bool
}

// table is a table that is gone through twice: to measure its columns, and to
// write it.
type table struct {
	ui     *UI
	header []string
	// natural is the widest cell of a column, word its longest word.
	natural, word []int
	first         []string
	constant      []bool
	rows, limit   int
	// shown are the columns side by side, below those that did not fit.
	shown, below []int
	width        []int
}

// Table writes rows under a header. Columns without a value are left out, and
// what is the same in every row is said once.
func (u *UI) Table(header []string, rows [][]string) {
	_ = u.writeTable(header, xslices.Rows(rows), false) // rows in memory cannot fail
}

// LongTable is a table, with an empty line before it, of rows that are read twice
// instead of kept. Without a row nothing is written.
func (u *UI) LongTable(header []string, rows iter.Seq2[[]string, error]) error {
	return u.writeTable(header, rows, true)
}

func (u *UI) writeTable(header []string, rows iter.Seq2[[]string, error], blank bool) error {
	t := &table{ui: u, header: header, natural: make([]int, len(header)), word: make([]int, len(header)), width: make([]int, len(header))}
	if u.Width > 0 && u.Tables.More != "" && !u.Tables.All {
		t.limit = shownRows
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		t.measure(row)
	}
	if t.rows == 0 {
		return nil
	}
	if blank {
		u.Blank()
	}
	t.layOut()
	t.writeConstants()
	t.writeRow(Dim, header)
	at, from, end := 0, 0, t.rows
	if t.limit > 0 && t.limit < t.rows {
		if end = t.limit; u.Tables.Newest {
			from, end = t.rows-t.limit, t.rows
		}
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if at++; at > from && at <= end {
			t.writeRow(Plain, row)
			t.writeBelow(row)
		}
	}
	t.writeRest()
	return nil
}

func (t *table) measure(row []string) {
	if t.rows++; t.rows == 1 {
		t.first, t.constant = slices.Clone(row), slices.Repeat([]bool{true}, len(row))
	}
	for i, cell := range row {
		t.constant[i] = t.constant[i] && cell == t.first[i]
		t.widen(i, cell)
	}
}

func (t *table) widen(i int, cell string) {
	cell = Escape(cell)
	t.natural[i] = max(t.natural[i], columns(cell))
	for word := range strings.FieldsSeq(cell) {
		t.word[i] = max(t.word[i], columns(word))
	}
}

// layOut decides which columns stand side by side, and how wide each is.
func (t *table) layOut() {
	for i := range t.header {
		if t.natural[i] > 0 && !t.saidOnce(i) {
			t.shown = append(t.shown, i)
		}
	}
	if len(t.shown) == 0 {
		t.shown = []int{0}
	}
	for _, i := range t.shown {
		t.widen(i, t.header[i])
		t.width[i] = t.natural[i]
	}
	if t.ui.Width == 0 || t.ui.Tables.Wide || t.needs() <= t.ui.Width {
		return
	}
	t.shrink()
}

// fewRows is up to how many rows a table repeats what is the same in all.
const fewRows = 2

// saidOnce reports whether all rows have the same in a column with a name.
func (t *table) saidOnce(i int) bool {
	return t.rows > fewRows && t.constant[i] && t.first[i] != "" && t.header[i] != ""
}

// needs is the width of the columns that are shown.
func (t *table) needs() int {
	n := 0
	for _, i := range t.shown {
		n += 2 + t.width[i]
	}
	return n
}

// proseWidth is how narrow a column of several words becomes at most.
const proseWidth = 14

// shrink takes columns out, mostly from the right, until the others fit, and breaks cells
// between words: the first where an option shows every column, else the second.
// What is left over goes to the columns that lack most.
func (t *table) shrink() {
	if t.ui.Tables.More != "" {
		t.dropUntil(keptColumns)
	}
	for _, i := range t.shown {
		t.width[i] = min(t.natural[i], max(t.word[i], proseWidth))
	}
	t.dropUntil(1)
	lacks := func(i int) int { return t.natural[i] - t.width[i] }
	for spare := t.ui.Width - t.needs(); spare > 0; spare-- {
		i := slices.MaxFunc(t.shown, func(a, b int) int { return lacks(a) - lacks(b) })
		if lacks(i) == 0 {
			return
		}
		t.width[i]++
	}
}

// keptColumns are side by side even if their cells have to be broken for it.
const keptColumns = 3

// dropUntil takes columns out until the others fit or so many are left.
func (t *table) dropUntil(left int) {
	for len(t.shown) > left && t.needs() > t.ui.Width {
		out := t.nextOut()
		t.below = append(t.below, t.shown[out])
		t.shown = slices.Delete(t.shown, out, out+1)
	}
	slices.Sort(t.below)
}

// nextOut is the column on the right. Domain and company stand before the tenant
// and the partner ID, and go before them: they say enough alone.
func (t *table) nextOut() int {
	last := len(t.shown) - 1
	if slices.Contains([]string{"NAME", "TENANT", "PARTNER ID"}, t.header[t.shown[last]]) {
		for _, name := range []string{"DOMAIN", "DOMAINS", "COMPANY"} {
			if at := slices.IndexFunc(t.shown, func(i int) bool { return t.header[i] == name }); at >= 0 {
				return at
			}
		}
	}
	return last
}

func (t *table) writeConstants() {
	var said []string
	for i, name := range t.header {
		if t.saidOnce(i) && !slices.Contains(t.shown, i) {
			said = append(said, name+" "+t.first[i])
		}
	}
	if len(said) > 0 {
		t.ui.Line(Dim, "  In every row: "+strings.Join(said, ", "))
	}
}

// writeRow writes the cells that are shown, each on as many lines as it takes.
func (t *table) writeRow(s Style, row []string) {
	cells, height := make([][]string, len(t.shown)), 0
	for n, i := range t.shown {
		cells[n] = strings.Split(t.wrapped(i, row[i]), "\n")
		height = max(height, len(cells[n]))
	}
	for at := range height {
		var b strings.Builder
		pending := "  "
		for n, i := range t.shown {
			cell := ""
			if at < len(cells[n]) {
				cell = cells[n][at]
			}
			if cell != "" {
				b.WriteString(pending + t.ui.Paint(s, cell))
				pending = ""
			}
			pending += strings.Repeat(" ", max(1, t.width[i]-columns(cell)+2))
		}
		t.ui.Write(strings.TrimRight(b.String(), " ") + "\n")
	}
}

func (t *table) wrapped(i int, cell string) string {
	if cell = Escape(cell); columns(cell) <= t.width[i] {
		return cell
	}
	return Wrap(cell, t.width[i], 0)
}

// writeBelow writes what did not fit beside the others, where no option shows it.
func (t *table) writeBelow(row []string) {
	if t.ui.Tables.More != "" {
		return
	}
	for _, i := range t.below {
		if row[i] != "" {
			t.ui.Write(t.ui.paintWrapped(Plain, "    "+strings.ToLower(t.header[i])+": "+row[i], 6) + "\n")
		}
	}
}

// writeRest says what a terminal does not show, and how to see it.
func (t *table) writeRest() {
	if t.limit > 0 && t.rows > t.limit {
		t.ui.Line(Dim, fmt.Sprintf("  %d more: %s", t.rows-t.limit, t.ui.Tables.More))
	}
	if len(t.below) > 0 && t.ui.Tables.More != "" {
		names := xslices.Map(t.below, func(i int) string { return t.header[i] })
		t.ui.Line(Dim, "  Not shown: "+strings.Join(names, ", ")+" (--wide)")
	}
}
