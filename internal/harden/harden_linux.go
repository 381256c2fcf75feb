package harden

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func noDumps() error {
	var failed []error
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		failed = append(failed, fmt.Errorf("core dumps cannot be disabled: %w", err))
	}
	// A limit of 0 does not apply to dumps piped to a program; this does.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		failed = append(failed, fmt.Errorf("the process cannot be made undumpable: %w", err))
	}
	return errors.Join(failed...)
}
