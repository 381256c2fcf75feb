// Package app is the composition root. It builds the directory, the vault, the
// ledger, the clients, the guard and the services from Settings, and knows no
// command: the command line, servers and tests use it.
//
// simulation.go is the only production file that imports the simulator.
package app
