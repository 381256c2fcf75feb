//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"syscall"
)

// nobody runs the server where the tests run as root, which PostgreSQL refuses.
const nobody = 65534

func asNobody(command *exec.Cmd, folder string) error {
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return os.Chown(folder, nobody, nobody)
}
