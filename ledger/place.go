package ledger

import (
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
func (w *writing) replaced() string {
	known := w.l.counter.get()
	if why := w.forked(known.last); why != "" || w.place == "" || w.place == known.place {
		return why
	}
	row, ok := w.one(stateServer, theServer)
	if !ok {
		return "the row that says where the record is was removed or changed"
	}
	why, merged, err := comparePlaces(row.body, []byte(w.place))
	if w.fail(err); why == "" && merged != nil {
		w.put(stateServer, theServer, merged)
	}
	return why
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
func (w *writing) forked(known link) string {
	at := w.tail
	if known.seq == 0 || at.seq < known.seq {
		return "" // the counter tells
	}
	if at.seq > known.seq {
		at = w.linkBefore(known.seq + 1)
	}
	if at == known || at.seq > known.seq { // pruned since
		return ""
	}
	return fmt.Sprintf("entry %d is not the one that was there", known.seq)
}
