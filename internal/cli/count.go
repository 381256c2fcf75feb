package cli

import (
	"strconv"

	"mcp-partner/schemas"
)

func count(n int, thing string) string { return schemas.Count(n, thing) }

func entriesText(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(n, 10) + " entries"
}
