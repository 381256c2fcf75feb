package signin

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/internal/azurecli"
	"mcp-partner/schemas"
	"mcp-partner/vault"
)

func (s *Source) mintWithAzureCLI(ctx context.Context, t target, claims string) (token, bool, *schemas.Problem) {
	if claims != "" {
		return token{}, false, t.azWantsPerson()
	}
	if refused := s.refusals.find(t, vault.Secret{}); refused != nil {
		return token{}, false, refused
	}
	select {
	case s.az <- struct{}{}:
		defer func() { <-s.az }()
	case <-ctx.Done():
		return token{}, false, schemas.ContextProblem(ctx.Err(), "Waiting for az")
	}
	got, problem := s.runAz(ctx, t)
	if problem != nil {
		s.refusals.keep(t, vault.Secret{}, problem)
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
	got, err := azurecli.DecodeToken(stdout)
	if err != nil {
		return azcore.AccessToken{}, azurecli.Unavailable("The answer of az is not a token.", schemas.WithCommand("Ask a person to run az by hand.", "az account get-access-token --tenant %s", t.tenantID))
	}
	return got, nil
}

var aadstsNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`AADSTS(\d{4,8})`)
})

// azProblem judges a failed run. Of az's text only the number of Entra ID's
// error is used: its traces may hold anything.
func (t target) azProblem(ctx context.Context, stderr []byte, err error) *schemas.Problem {
	if ctx.Err() != nil {
		return schemas.ContextProblem(ctx.Err(), "Running az for tenant "+t.tenant)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return azurecli.NotRunnable(t.credential.AzPath, err)
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
	return azurecli.Unavailable("az gave no token for tenant "+t.tenant+": nobody is signed in there with it, or its sign-in has ended.",
		schemas.WithCommand("Ask a person to sign in.", "az login --tenant %s", t.tenantID))
}

func (t target) azWantsPerson() *schemas.Problem {
	p := t.wantsPerson()
	p.Hint, p.Command = "Ask a person to sign in.", "az login --tenant "+t.tenantID
	return p
}
