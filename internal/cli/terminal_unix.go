//go:build !windows

package cli

const terminalInput, terminalOutput = "/dev/tty", "/dev/tty"
