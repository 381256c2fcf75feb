package fleet

import (
	"context"
	"encoding/base64"
	"fmt"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Page returns changes, those that matter most first, from where a cursor says; how
// many there are of each kind; and the cursor of the next page, "" behind the last.
// It goes through the audits twice instead of keeping what differs.
func (c *Comparison) Page(ctx context.Context, cursor string, limit int) (page []Change, counts map[answers.ChangeKind]int, next string, err error) {
	if limit <= 0 {
		limit = PageDefault
	}
	from, name := 0, c.Before.ID+" "+c.After.ID
	if cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		if _, failure := fmt.Sscanf(string(text), name+" %d", &from); err != nil || failure != nil || from < 0 {
			return nil, nil, "", problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor unchanged, with its run_id and since.")
		}
	}
	counts = map[answers.ChangeKind]int{}
	for change, err := range c.Changes(ctx) {
		if err != nil {
			return nil, nil, "", err
		}
		counts[change.Kind]++
	}
	at, total := map[answers.ChangeKind]int{}, 0
	for _, kind := range answers.ChangeKinds() {
		at[kind] = total
		total += counts[kind]
	}
	page = make([]Change, max(0, min(limit, PageMost, total-from)))
	if len(page) == 0 {
		return page, counts, "", nil
	}
	for change, err := range c.Changes(ctx) {
		if err != nil {
			return nil, nil, "", err
		}
		if place := at[change.Kind] - from; place >= 0 && place < len(page) {
			page[place] = change
		}
		at[change.Kind]++
	}
	if end := from + len(page); end < total {
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", name, end))
	}
	return page, counts, next, nil
}
