// Package azurecli runs the az command.
package azurecli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
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

// Account is who is signed in with az at the moment.
type Account struct {
	TenantID string `json:"tenantId"`
	// All texts are untrusted, and cleaned.
	TenantName string `json:"tenantDisplayName"`
	User       struct {
		Name string `json:"name"`
		Type string `json:"type"` // user or servicePrincipal
	} `json:"user"`
	// Cloud is az's name of the cloud, such as AzureCloud.
	Cloud string `json:"environmentName"`
}

// Find returns the absolute path of the az command on the PATH of this
// process, or a CodeAzureCLIUnavailable problem.
func Find() (string, error) {
	path, err := exec.LookPath("az")
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", Unavailable("The az command is not on the PATH.", problems.WithCommand("Ask a person to install Azure CLI and sign in.", "az login"))
	}
	return path, nil
}

// accountLimit bounds az where the caller's context does not.
const accountLimit = 30 * time.Second

// CurrentAccount asks az for its current account, with which a new
// tenant entry can be filled in. It returns a CodeAzureCLIUnavailable problem
// if az is missing or nobody is signed in, CodeTimeout if az takes too long.
func CurrentAccount(ctx context.Context, azPath string) (Account, error) {
	ctx, cancel := context.WithTimeout(ctx, accountLimit)
	defer cancel()
	stdout, stderr, err := Run(ctx, azPath, "account", "show", "--output", "json")
	if err == nil {
		return decodeAccount(stdout)
	}
	if ctx.Err() != nil {
		return Account{}, problems.OfContext(ctx.Err(), "Running az")
	}
	if _, failed := err.(*exec.ExitError); failed {
		return Account{}, Failed(stderr, "az account show", "az login")
	}
	return Account{}, NotRunnable(azPath, err)
}

func decodeAccount(output []byte) (Account, error) {
	account, ok := decodeObject(output, func(a Account) bool { return naming.IsGUID(a.TenantID) })
	if !ok {
		return Account{}, Unavailable("az does not name the tenant that it is signed in to.", problems.WithCommand("Ask a person to run az by hand.", "az account show"))
	}
	account.TenantID = naming.Fold(account.TenantID)
	for _, text := range []*string{&account.TenantName, &account.User.Name, &account.User.Type, &account.Cloud} {
		*text = untrusted.Sanitize(*text)
	}
	return account, nil
}

// decodeObject decodes the first JSON object that want accepts. az prints more
// than its JSON at times: warnings, colours, a byte order mark.
func decodeObject[T any](output []byte, want func(T) bool) (T, bool) {
	for at := bytes.IndexByte(output, '{'); at >= 0; {
		var answer T
		if json.NewDecoder(bytes.NewReader(output[at:])).Decode(&answer) == nil && want(answer) {
			return answer, true
		}
		next := bytes.IndexByte(output[at+1:], '{')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	var none T
	return none, false
}

type tokenAnswer struct {
	AccessToken string          `json:"accessToken"`
	Seconds     json.RawMessage `json:"expires_on"`
	Local       string          `json:"expiresOn"`
}

// DecodeToken reads az's answer. Before version 2.54 it names the end of the
// token only in local time.
func DecodeToken(output []byte) (azcore.AccessToken, error) {
	answer, ok := decodeObject(output, func(a tokenAnswer) bool { return a.AccessToken != "" })
	if !ok {
		return azcore.AccessToken{}, errors.New("no token")
	}
	expires, err := answer.expires()
	return azcore.AccessToken{Token: answer.AccessToken, ExpiresOn: expires.UTC()}, err
}

// expires reads a number, a number as a text, or a number with a fraction.
func (a tokenAnswer) expires() (time.Time, error) {
	seconds, err := strconv.ParseFloat(strings.Trim(string(a.Seconds), `"`), 64)
	if err == nil && seconds > 0 && seconds < 1<<40 {
		return time.Unix(int64(seconds), 0), nil
	}
	expires, err := time.ParseInLocation("2006-01-02 15:04:05.999999", a.Local, time.Local)
	if err != nil {
		return time.Time{}, errors.New("no expiry")
	}
	return expires, nil
}

// NoAnswer makes the problem of output without the object that was asked for.
func NoAnswer(command string) *problems.Problem {
	return Unavailable("az ended without an error and printed no usable JSON object.", problems.WithCommand("Ask a person to check the output of az.", "%s", command))
}

var notSignedIn = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)please run:? ['"\x60]?az login['"\x60]? to (setup|set up|access)|not logged in|does not exist in MSAL token cache|no subscriptions? found`)
})

var entraNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`AADSTS(\d{4,8})`) })

// EntraNumber returns the number of Entra ID's error in az's messages, or 0.
func EntraNumber(messages []byte) int {
	found := entraNumber().FindSubmatch(messages)
	if found == nil {
		return 0
	}
	number, _ := strconv.Atoi(string(found[1]))
	return number
}

// Failed makes the problem of an az that ended with an error. Its messages,
// which may hold anything, are not passed on. Only az itself can report that
// nobody is signed in; for any other cause command shows its messages.
func Failed(messages []byte, command, login string) *problems.Problem {
	if notSignedIn().Match(messages) {
		return Unavailable("Nobody is signed in with az, or the sign-in has ended.", problems.WithCommand("Ask a person to sign in.", "%s", login))
	}
	p := Unavailable("az failed; its output has the reason.",
		problems.WithCommand("Ask a person to check the output of az.", "%s", command))
	p.Retryable = true
	return p
}
