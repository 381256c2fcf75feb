// Package docs holds the documents that the program itself shows.
package docs

import _ "embed"

//go:embed pal.md
var pal string

// PAL returns what Partner Admin Link is and is not, as Markdown.
func PAL() string { return pal }
