package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The row that says on which server the record was when it was written last.
const (
	stateServer = "server"
	theServer   = "all"
)

// replaced says why the record may have lost entries that no counter knows, or "".
func (w *writing) replaced(ctx context.Context) (string, error) {
	if why, err := w.forked(ctx); err != nil || why != "" || w.place == "" {
		return why, err
	}
	if w.l.counter.isAt(w.place) {
		return "", nil
	}
	row, ok, err := w.db.one(ctx, w.Tx, stateServer, theServer)
	if err != nil {
		return "", err
	}
	if !ok {
		return "the row that says where the record is was removed or changed", nil
	}
	why, merged, err := comparePlaces(row.body, []byte(w.place))
	if err == nil && why == "" && merged != nil {
		err = w.put(ctx, stateServer, theServer, merged)
	}
	return why, err
}

// comparePlaces says what two places both tell, and not alike. A server that says
// less than before is no other one; merged is both where it says more.
func comparePlaces(before, after []byte) (why string, merged []byte, err error) {
	var was, is map[string]string
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return "", nil, errDamaged
	}
	var differ []string
	more := false
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if was[name] != "" && is[name] != "" && was[name] != is[name] {
			differ = append(differ, fmt.Sprintf("its %s was %s and is %s", name, was[name], is[name]))
		}
		if was[name] == "" && is[name] != "" {
			was[name], more = is[name], true
		}
	}
	if more {
		merged = encode(was)
	}
	return strings.Join(differ, ", "), merged, nil
}

// forked says that an entry which this process wrote or read last is another one
// now: a server that never had the lost entries gave their numbers again.
func (w *writing) forked(ctx context.Context) (string, error) {
	known, at := w.l.counter.lastLink(), w.tail
	if known.seq == 0 || at.seq < known.seq {
		return "", nil // the counter tells
	}
	if at.seq > known.seq {
		var err error
		if at, err = linkBefore(ctx, w.Tx, w.db, known.seq+1); err != nil {
			return "", err
		}
	}
	if at == known || at.seq > known.seq { // pruned since
		return "", nil
	}
	return fmt.Sprintf("entry %d is not the one that was there", known.seq), nil
}

// isAt reports whether the record was in this place when it was looked at last.
func (c *counter) isAt(place string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.place == place
}

// saw takes in where the record ends and is.
func (c *counter) saw(end link, place string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, end.seq)
	c.last, c.place = end, place
}

func (c *counter) lastLink() link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
