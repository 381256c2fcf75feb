// Package page makes the pages that people see in a browser, those of a server with
// strict headers and those that are one file. They are made of nodes, which escape
// every text and every value of an attribute: there is no way to put markup in by data.
// It alone imports gomponents.
package page

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// Node is a piece of a page, and Group several. Text in it is escaped.
type (
	Node  = g.Node
	Group = g.Group
)

// Page is one answer to a browser.
type Page struct {
	// Status is 200 if it is 0.
	Status int
	// Title is also the heading.
	Title string
	Body  []Node
	// FormTargets are further origins, or schemes with a colon, to which a form of the
	// page may lead in the end.
	FormTargets []string
	// Script is the name of a script among the assets, or "".
	Script string
	// Frame is around a page of the console, nil around others.
	Frame *Frame
	// Onward is where the browser goes at once, without a script. Unlike a redirect it
	// is no part of what a form may lead to, wherever the next site leads in turn.
	Onward string
}

//go:embed assets
var assets embed.FS

// AssetPath is where ServeAsset answers: style and scripts of all pages.
const AssetPath = "/assets/"

// ServeAsset serves a file of the program under a name that changes with it.
func ServeAsset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, AssetPath)
	hash, name, _ := strings.Cut(name, "-")
	text, err := assets.ReadFile("assets/" + name)
	if err != nil || hash != assetHash(text) {
		http.NotFound(w, r)
		return
	}
	kind := map[bool]string{true: "text/javascript; charset=utf-8", false: "text/css; charset=utf-8"}[strings.HasSuffix(name, ".js")]
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(text) // a browser that went away needs no answer
}

func assetHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func assetURL(name string) string {
	text, _ := assets.ReadFile("assets/" + name) // embedded, or the page shows without it
	return AssetPath + assetHash(text) + "-" + name
}

// integrity is the hash of an asset as browsers check it.
func integrity(name string) Node {
	text, _ := assets.ReadFile("assets/" + name)
	return g.Attr("integrity", hashOf(text))
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Harden sets what every answer of a server of pages says: no other site can frame it,
// read it or run anything of it, and nothing on the way keeps it.
func Harden(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin") // with none at all, forms would come from the origin "null"
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// Write answers with the page. No other site can frame it, read it or give it a
// script; nothing on the way keeps it.
func (p Page) Write(w http.ResponseWriter) {
	targets := strings.Join(append([]string{"'self'"}, p.FormTargets...), " ")
	header := w.Header()
	Harden(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action "+targets+
		"; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
	w.WriteHeader(max(p.Status, http.StatusOK))
	_ = p.document().Render(w) // a browser that went away needs no answer
}

func (p Page) document() Node {
	return document(p.Title+" - Partner Admin Link", g.Group{
		h.Link(h.Rel("stylesheet"), h.Href(assetURL("page.css")), integrity("page.css")),
		g.Iff(p.Frame != nil, func() Node { return h.Link(h.Rel("stylesheet"), h.Href(assetURL(states)), integrity(states)) }),
		g.If(p.Onward != "", h.Meta(g.Attr("http-equiv", "refresh"), h.Content("0;url="+p.Onward))),
		g.If(p.Frame != nil, script("console.js")), g.If(p.Script != "", script(p.Script)),
	}, g.If(p.Frame != nil, h.Class("console")), p.Frame.above(), h.Main(h.ID("main"), h.H1(g.Text(p.Title)), g.Group(p.Body)))
}

func document(title string, head Node, body ...Node) Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(title)),
			head,
		),
		h.Body(body...),
	))
}

// File is a page in one file. Its policy allows style and script by hash: no other
// script, no image, no font, no request.
type File struct {
	Title, Lead, Foot string
	// Facts stand below the lead; may be nil.
	Facts Node
	Body  []Node
	// Style and Script are ours.
	Style, Script string
}

// states are the colours of what an audit finds, in a page and in a file.
const states = "states.css"

// Write writes the file as its nodes are rendered.
func (f File) Write(w io.Writer) error {
	text, _ := assets.ReadFile("assets/" + states) // embedded
	f.Style = string(text) + f.Style
	policy := fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hashOf([]byte(f.Style)), hashOf([]byte(f.Script)))
	out := bufio.NewWriter(w)
	err := document(f.Title, g.Group{
		h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content(policy)),
		h.Meta(h.Name("referrer"), h.Content("no-referrer")),
		h.StyleEl(g.Raw(f.Style)),
	},
		h.Header(h.H1(g.Text(f.Title)), h.P(h.Class("lead"), g.Text(f.Lead)), f.Facts),
		h.Main(f.Body...),
		h.Footer(P(f.Foot)),
		g.If(f.Script != "", h.Script(g.Raw(f.Script))),
	).Render(out)
	return cmp.Or(err, out.Flush())
}

func script(name string) Node {
	return h.Script(h.Defer(), h.Src(assetURL(name)), integrity(name))
}
