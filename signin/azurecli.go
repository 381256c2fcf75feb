package signin

import (
	"context"
	"errors"
	"os/exec"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/azurecli"
	"mcp-partner/schemas/problems"
)

// azTokens is the credential that asks az. Its errors are problems.
type azTokens struct {
	target  target
	running chan struct{}
}

// GetToken implements azcore.TokenCredential.
func (a azTokens) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t := a.target
	if options.Claims != "" {
		return azcore.AccessToken{}, t.azWantsPerson()
	}
	select {
	case a.running <- struct{}{}:
		defer func() { <-a.running }()
	case <-ctx.Done():
		return azcore.AccessToken{}, problems.OfContext(ctx.Err(), "Waiting for az")
	}
	// az takes a resource, which older versions know as well, not a scope.
	stdout, stderr, err := azurecli.Run(ctx, t.credential.AzPath, "account", "get-access-token",
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
