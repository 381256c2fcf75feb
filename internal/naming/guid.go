package naming

import (
	"encoding/hex"
	"strings"
)

// IsGUID reports whether text has the form of a GUID, in either case.
func IsGUID(text string) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	return err == nil && len(raw) == 16
}
