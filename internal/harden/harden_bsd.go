//go:build darwin || freebsd || netbsd || openbsd

package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func noDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("core dumps cannot be disabled: %w", err)
	}
	return nil
}
