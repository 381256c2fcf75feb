package signin

import (
	"context"
	"errors"
	"os/exec"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/internal/azurecli"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault"
)

func (s *Source) mintWithAzureCLI(ctx context.Context, t target, claims string) (token, bool, *problems.Problem) {
	if claims != "" {
		return token{}, false, t.azWantsPerson()
	}
	if refused := s.refused.find(t, vault.Secret{}); refused != nil {
		return token{}, false, refused
	}
	select {
	case s.az <- struct{}{}:
		defer func() { <-s.az }()
	case <-ctx.Done():
		return token{}, false, problems.OfContext(ctx.Err(), "Waiting for az")
	}
	got, problem := s.runAz(ctx, t)
	if problem != nil {
		s.refused.keep(t, vault.Secret{}, problem)
		return token{}, true, problem
	}
	accepted, problem := s.accept(got, t)
	return accepted, true, problem
}

func (s *Source) runAz(ctx context.Context, t target) (azcore.AccessToken, *problems.Problem) {
	// az takes a resource, which older versions know as well, not a scope.
	stdout, stderr, err := s.opts.Runner.Run(ctx, t.credential.AzPath, "account", "get-access-token",
		"--output", "json", "--resource", t.cloud.ARMAudience, "--tenant", t.tenantID)
	defer clear(stdout)
	if err != nil {
		return azcore.AccessToken{}, t.azProblem(ctx, stderr, err)
	}
	got, err := azurecli.DecodeToken(stdout)
	if err != nil {
		return azcore.AccessToken{}, azurecli.NoAnswer(t.azCommand())
	}
	return got, nil
}

// azCommand shows az's own words to a person, and no token.
func (t target) azCommand() string {
	return "az account get-access-token --query expiresOn --tenant " + t.tenantID
}

func (t target) azLogin() string { return "az login --tenant " + t.tenantID }

// azProblem classifies a failed run. Of az's text only the number of Entra ID's
// error is used: its traces may hold anything.
func (t target) azProblem(ctx context.Context, stderr []byte, err error) *problems.Problem {
	if ctx.Err() != nil {
		return problems.OfContext(ctx.Err(), "Running az for tenant "+t.tenant)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return azurecli.NotRunnable(t.credential.AzPath, err)
	}
	number := azurecli.EntraNumber(stderr)
	problem := t.azFinding(number)
	if problem == nil {
		problem = azurecli.Failed(stderr, t.azCommand(), t.azLogin())
		problem.Message = "az returned no token for tenant " + t.tenant + ". " + problem.Message
	}
	if number != 0 {
		problem.ForeignCode = "AADSTS" + strconv.Itoa(number)
	}
	return problem
}

func (t target) azFinding(number int) *problems.Problem {
	number, known := knownCode(number)
	switch {
	case number == 0:
		return nil
	case known.finding == findingPerson || known.finding == findingNoConsent:
		return t.azWantsPerson()
	}
	return t.findingProblem(known)
}

func (t target) azWantsPerson() *problems.Problem {
	p := t.wantsPerson()
	p.Hint, p.Command = "Ask a person to sign in.", t.azLogin()
	return p
}
