// Package azurecli runs the az command.
package azurecli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mcp-partner/schemas/problems"
)

const maxAzOutput = 1 << 20

// azLinger is how long az's children may hold its output after it ended.
const azLinger = 200 * time.Millisecond

// azSystemPath lets az, which may be a script, find its interpreter when
// the server was started without a PATH.
const azSystemPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

// Run runs az at an absolute path and returns what it wrote. An error means that
// it could not be started, failed or was stopped. The identity SDK looks for az
// on the PATH of the process through a shell, which fails in a server with an
// empty PATH and would run whatever az comes first in another one.
func Run(ctx context.Context, path string, arguments ...string) (stdout, stderr []byte, err error) {
	command := exec.CommandContext(ctx, path, arguments...)
	command.Env = azEnvironment(os.Environ(), filepath.Dir(path))
	command.Dir = filepath.Dir(path)
	command.WaitDelay = azLinger
	output, messages := &bounded{}, &bounded{}
	command.Stdout, command.Stderr = output, messages
	err = command.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return output.kept.Bytes(), messages.kept.Bytes(), err
}

// azEnvironment is the environment of the process with a PATH that finds az and
// its interpreter.
func azEnvironment(environment []string, folder string) []string {
	path := os.Getenv("PATH")
	if path == "" && os.PathListSeparator == ':' {
		path = azSystemPath
	}
	kept := slices.DeleteFunc(slices.Clone(environment), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.EqualFold(name, "PATH")
	})
	return append(kept, "PATH="+folder+string(os.PathListSeparator)+path, "AZURE_CORE_NO_COLOR=true", "AZURE_CORE_ONLY_SHOW_ERRORS=true")
}

// bounded keeps the first part of what is written and drops the rest. It does
// not embed the buffer, whose ReadFrom would go around the bound.
type bounded struct{ kept bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxAzOutput - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// NotRunnable says why the command could not be started.
func NotRunnable(path string, err error) *problems.Problem {
	if _, found := os.Stat(path); found == nil && errors.Is(err, fs.ErrNotExist) {
		return Unavailable("The az command at "+path+" cannot be started: its interpreter does not exist.", problems.WithHint("Ask a person to install Azure CLI again, or to set the path of az."))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Unavailable("There is no az command at "+path+".", problems.WithHint("Ask a person to install Azure CLI, or to set the path of az again."))
	}
	return Unavailable("The az command at "+path+" cannot be run.", problems.WithHint("Check that the file is executable."))
}

// Unavailable makes a CodeAzureCLIUnavailable problem.
func Unavailable(message string, next problems.Option) *problems.Problem {
	return problems.New(problems.CodeAzureCLIUnavailable, message, next)
}
