package phrase

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func Stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// ShellWord quotes a word for a POSIX shell if it needs it.
func ShellWord(text string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !safe(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Count words a number of things whose plural ends in s: 1 tenant, 2 tenants.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Some are the first of a list, and how many more there are.
func Some(list []string, most int) []string {
	if more := len(list) - most; more > 0 {
		return append(list[:most:most], "and "+strconv.Itoa(more)+" more")
	}
	return list
}

// Words is a state or a kind as people read it.
func Words[T ~string](word T) string { return strings.ReplaceAll(string(word), "_", " ") }

// tools are the calls that hints advise an agent to make, in the words of somebody
// who runs commands; the command itself stands beside the hint.
var tools = strings.NewReplacer(
	"Call check_partner_link", "Check the link", "Call find_partner_tool, or list the tools", "List the tools",
	"Call again", "Run the command again", "call again", "run the command again",
)

// ForPerson words a hint for the person whom an agent would ask.
func ForPerson(hint string) string {
	step, asks := strings.CutPrefix(tools.Replace(hint), "Ask a person to ")
	if !asks {
		return step
	}
	return strings.ToUpper(step[:1]) + step[1:]
}

func Entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(n, 10) + " entries"
}

func HostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "endpoint"
	}
	return u.Host
}

func Quote(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("%q", text)
}
