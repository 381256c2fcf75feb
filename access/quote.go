package access

import "mcp-partner/schemas"

func quote(s string) string { return "\"" + schemas.Sanitize(s) + "\"" }
