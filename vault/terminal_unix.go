//go:build !windows

package vault

const terminalInput, terminalOutput = "/dev/tty", "/dev/tty"
