//go:build !windows

package term

const terminalInput, terminalOutput = "/dev/tty", "/dev/tty"
