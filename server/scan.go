package server

import "encoding/json"

// scanObject visits the members of an object in their order, until a fault. The
// text is known to be one valid JSON object: it was checked as a whole, once,
// and a decoder here would check each part of it again.
func scanObject(raw []byte, visit func(name string, value json.RawMessage) *fault) *fault {
	at := skipSpace(raw, 0) + 1 // past the brace
	for {
		at = skipSpace(raw, at)
		if at >= len(raw) || raw[at] != '"' {
			return nil // the closing brace
		}
		end := valueEnd(raw, at)
		name := memberName(raw[at:end])
		at = min(skipSpace(raw, skipSpace(raw, end)+1), len(raw)) // past the colon
		end = valueEnd(raw, at)
		if f := visit(name, raw[at:end]); f != nil {
			return f
		}
		if at = skipSpace(raw, end); at < len(raw) && raw[at] == ',' {
			at++
		}
	}
}

func skipSpace(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\t' || raw[at] == '\r' || raw[at] == '\n') {
		at++
	}
	return at
}

// memberName reads a name as encoding/json does. Most have no escape in them.
func memberName(quoted []byte) string {
	for _, c := range quoted {
		if c == '\\' {
			var name string
			_ = json.Unmarshal(quoted, &name) // it is valid
			return name
		}
	}
	if len(quoted) < 2 {
		return "" // no name, and no JSON
	}
	return string(quoted[1 : len(quoted)-1])
}

// valueEnd is where the value that begins at a place ends.
func valueEnd(raw []byte, at int) int {
	if at >= len(raw) {
		return len(raw)
	}
	switch raw[at] {
	case '"':
		return stringEnd(raw, at)
	case '{', '[':
		return nestedEnd(raw, at)
	}
	for at < len(raw) && !endsScalar(raw[at]) {
		at++
	}
	return at
}

func endsScalar(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func stringEnd(raw []byte, at int) int {
	for at++; at < len(raw) && raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++ // what is escaped ends no string
		}
	}
	return min(at+1, len(raw))
}

func nestedEnd(raw []byte, at int) int {
	for depth := 0; at < len(raw); at++ {
		switch raw[at] {
		case '"':
			at = stringEnd(raw, at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
	return len(raw)
}
