// Package cli is the command line of mcp-partner. Each command has a file of
// its own, in which parsing is split from running: newX(f, run) builds the
// cobra command, which fills an options struct and hands it to run.
//
// wire.go builds everything that a command needs from the other packages, and
// simulation.go is the only production file that knows the simulator.
//
// Standard output carries what was asked for and nothing else; everything
// about it, logs included, goes to standard error. A secret enters by standard
// input, a prompt without echo or a file, and never by an argument.
package cli
