package oauth

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mcp-partner/internal/untrusted"
)

// Loopback in a redirect policy stands for http on 127.0.0.1, [::1] and localhost with
// any port and path (RFC 8252, section 7.3).
const Loopback = "loopback"

// maxURI bounds the URIs that clients give.
const maxURI = 2048

// KnownRedirects is the default policy: where Claude, VS Code, Cursor, Copilot Studio
// and programs on the person's own computer take their answers.
func KnownRedirects() []string {
	return []string{
		Loopback,
		"https://claude.ai/api/mcp/auth_callback",
		"https://claude.com/api/mcp/auth_callback",
		"https://vscode.dev/redirect",
		"cursor://anysphere.cursor-mcp/oauth/callback",
		"https://www.cursor.com/agents/mcp/oauth/callback",
		"https://global.consent.azure-apim.net/redirect/*",
	}
}

// policy are the redirect URIs that clients may have: Loopback, exact ones, and ones
// that end in /* for one more segment.
type policy []string

// CheckRedirects refuses a policy that cannot be meant.
func CheckRedirects(patterns []string) error {
	for _, pattern := range patterns {
		if uri := strings.TrimSuffix(pattern, "/*"); pattern != Loopback && !isRedirect(uri) {
			return fmt.Errorf("%q is not a redirect URI: give %q, https://HOST/PATH, the scheme of a program as in cursor://HOST/PATH, or one of these with /* at the end",
				untrusted.Sanitize(pattern), Loopback)
		}
	}
	return nil
}

func (p policy) allows(uri string) bool {
	return isRedirect(uri) && slices.ContainsFunc(p, func(pattern string) bool {
		if pattern == Loopback {
			_, _, ok := loopback(uri)
			return ok
		}
		before, more := strings.CutSuffix(pattern, "*")
		rest, found := strings.CutPrefix(uri, before)
		return uri == pattern || more && found && segment().MatchString(rest)
	})
}

var (
	// segment is a part of a path that no browser reads as something else.
	segment     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._~-]*$`) })
	loopbackURI = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^http://(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9][0-9]{0,4}))?(/[!$&-;=?-Z_a-z~%]*)?$`)
	})
	// redirectURI is a URI of which every reader sees the same host.
	redirectURI = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(https://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{0,4})?|[a-z][a-z0-9+.-]*://[a-z0-9.-]+)(/[!$&-;=?-Z_a-z~%]*)?$`)
	})
)

// noProgram are schemes that a browser handles itself.
var noProgram = []string{"http", "javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "view-source", "ws", "wss", "ftp"}

// isRedirect reports whether a URI has a form in which codes can be sent to it.
func isRedirect(uri string) bool {
	if _, _, ok := loopback(uri); ok {
		return true
	}
	scheme, _, _ := strings.Cut(uri, ":")
	return len(uri) <= maxURI && redirectURI().MatchString(uri) && !slices.Contains(noProgram, scheme)
}

// loopback takes apart a redirect URI on this computer. It compares text alone, so that
// 127.1, a user before the host, or a name that only begins with localhost do not pass.
func loopback(uri string) (host, rest string, ok bool) {
	parts := loopbackURI().FindStringSubmatch(uri)
	if parts == nil || len(uri) > maxURI {
		return "", "", false
	}
	_, err := strconv.ParseUint(parts[2], 10, 16)
	return parts[1], parts[3], parts[2] == "" || err == nil
}

// sameRedirect reports whether a URI is one that was registered: exactly, but for the
// port on this computer, which a program cannot choose beforehand.
func sameRedirect(registered, uri string) bool {
	host, rest, local := loopback(registered)
	other, path, also := loopback(uri)
	return registered == uri || local && also && host == other && rest == path
}

// destination is where a redirect leads, for the person who decides, and as a source
// that a page's form may lead to in the end.
func destination(uri string) (shown, source string) {
	scheme, rest, _ := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	switch _, _, local := loopback(uri); {
	case local && strings.HasPrefix(host, "["):
		return "a program on this computer (" + host + ")", "http:" // no source names an IPv6 address
	case local:
		return "a program on this computer (" + host + ")", "http://" + host
	case scheme == "https":
		return host, "https://" + host
	default:
		return "the program on this computer that opens " + scheme + "://" + host, scheme + ":"
	}
}
