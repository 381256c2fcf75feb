// Package cli is the root of the command line: the list of commands, in groups.
// Each noun has a folder of its own, in which parsing is split from running:
// newCmdX(deps) builds the cobra command, which fills an options struct and hands
// it to runX. Parts of the program are built by internal/app.
//
// Standard output carries what was asked for and nothing else; everything
// about it, logs included, goes to standard error. A secret enters by standard
// input, a prompt without echo or a file, and never by an argument.
package cli
