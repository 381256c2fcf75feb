package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/schemas"
)

const (
	maxAzOutput = 1 << 20
	// azLinger is how long az's children may hold its output after it ended.
	azLinger = 200 * time.Millisecond
	// azAccountLimit bounds az where the caller's context does not.
	azAccountLimit = 30 * time.Second
	// azSystemPath lets az, which may be a script, find its interpreter when
	// the server was started without a PATH.
	azSystemPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
)

// Runner starts the az command.
type Runner interface {
	// Run runs the command at an absolute path and returns what it wrote. An
	// error means that it could not be started, failed or was stopped.
	Run(ctx context.Context, path string, arguments ...string) (stdout, stderr []byte, err error)
}

// execRunner runs the real command. The identity SDK looks for az on the PATH
// of the process through a shell, which fails in a server with an empty PATH
// and would run whatever az comes first in another one.
type execRunner struct{}

// Run implements Runner.
func (execRunner) Run(ctx context.Context, path string, arguments ...string) (stdout, stderr []byte, err error) {
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

func (s *Source) mintWithAzureCLI(ctx context.Context, t target, claims string) (token, bool, *schemas.Problem) {
	if claims != "" {
		return token{}, false, t.azWantsPerson()
	}
	if refused := s.refusals.find(t, Secret{}); refused != nil {
		return token{}, false, refused
	}
	select {
	case s.az <- struct{}{}:
		defer func() { <-s.az }()
	case <-ctx.Done():
		return token{}, false, contextProblem(ctx.Err(), "Waiting for az")
	}
	got, problem := s.runAz(ctx, t)
	if problem != nil {
		s.refusals.keep(t, Secret{}, problem)
		return token{}, true, problem
	}
	accepted, problem := s.accept(got, t)
	return accepted, true, problem
}

func (s *Source) runAz(ctx context.Context, t target) (azcore.AccessToken, *schemas.Problem) {
	// az takes a resource, which older versions know as well, not a scope.
	stdout, stderr, err := s.runner.Run(ctx, t.credential.AzPath, "account", "get-access-token",
		"--output", "json", "--resource", t.cloud.ARMAudience, "--tenant", t.tenantID)
	defer clear(stdout)
	if err != nil {
		return azcore.AccessToken{}, t.azProblem(ctx, stderr, err)
	}
	got, err := decodeAzToken(stdout)
	if err != nil {
		return azcore.AccessToken{}, azUnavailable("az gave something that is no token.", "A person runs: az account get-access-token --tenant "+t.tenantID)
	}
	return got, nil
}

// decodeAzToken reads az's answer. Before version 2.54 it names the end of the
// token only in local time.
func decodeAzToken(data []byte) (azcore.AccessToken, error) {
	var answer struct {
		AccessToken string `json:"accessToken"`
		Seconds     int64  `json:"expires_on"`
		Local       string `json:"expiresOn"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.AccessToken == "" {
		return azcore.AccessToken{}, errors.New("no token")
	}
	expires := time.Unix(answer.Seconds, 0)
	if answer.Seconds == 0 {
		var err error
		if expires, err = time.ParseInLocation("2006-01-02 15:04:05.999999", answer.Local, time.Local); err != nil {
			return azcore.AccessToken{}, errors.New("no expiry")
		}
	}
	return azcore.AccessToken{Token: answer.AccessToken, ExpiresOn: expires.UTC()}, nil
}

var aadstsNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`AADSTS(\d{4,8})`)
})

// azProblem judges a failed run. Of az's text only the number of Entra ID's
// error is used: its traces may hold anything.
func (t target) azProblem(ctx context.Context, stderr []byte, err error) *schemas.Problem {
	if ctx.Err() != nil {
		return contextProblem(ctx.Err(), "Running az for tenant "+t.tenant)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return azNotRunnable(t.credential.AzPath, err)
	}
	problem := t.azJudge(aadstsNumber().FindSubmatch(stderr))
	if found := aadstsNumber().Find(stderr); found != nil {
		problem.ForeignCode = string(found)
	}
	return problem
}

// azJudge knows Entra ID's errors by number only: az prints no error field.
func (t target) azJudge(found [][]byte) *schemas.Problem {
	number := ""
	if len(found) == 2 {
		number = string(found[1])
	}
	switch number {
	case fmt.Sprint(codeNoTenant), fmt.Sprint(codeBadTenantName):
		return t.noTenant()
	case fmt.Sprint(codeUserNotInTenant):
		return t.refusedGrant(entraError{Codes: []int{codeUserNotInTenant}})
	case "50076", "50079", "50078", "50158", "53003", "50173", "700082", "70043", fmt.Sprint(codeNoConsent):
		return t.azWantsPerson()
	}
	return azUnavailable("az gave no token for tenant "+t.tenant+": nobody is signed in there with it, or its sign-in has ended.",
		"A person runs: az login --tenant "+t.tenantID)
}

func (t target) azWantsPerson() *schemas.Problem {
	p := t.wantsPerson()
	p.Hint = "A person runs: az login --tenant " + t.tenantID
	return p
}

func azNotRunnable(path string, err error) *schemas.Problem {
	if errors.Is(err, fs.ErrNotExist) {
		return azUnavailable("There is no az command at "+path+".", "A person installs Azure CLI, or sets the path of az anew.")
	}
	return azUnavailable("The az command at "+path+" cannot be run.", "Check that the file is executable.")
}

func azUnavailable(message, hint string) *schemas.Problem {
	return schemas.NewProblem(schemas.CodeAzureCLIUnavailable, message, schemas.WithHint("%s", hint))
}
