package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"

	"mcp-partner/schemas"
)

// AzureCLIAccount is who is signed in with az at the moment.
type AzureCLIAccount struct {
	TenantID string
	// TenantName and User are foreign text, cleaned.
	TenantName string
	User       string
	// UserType is user or servicePrincipal.
	UserType string
	// Cloud is az's name of the cloud, such as AzureCloud.
	Cloud string
}

// FindAzureCLI returns the absolute path of the az command on the PATH of this
// process, or a CodeAzureCLIUnavailable problem.
func FindAzureCLI() (string, error) {
	path, err := exec.LookPath("az")
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", azUnavailable("There is no az command on the PATH.", "A person installs Azure CLI and runs: az login")
	}
	return path, nil
}

// CurrentAzureCLIAccount asks az for its current account, with which a new
// tenant entry can be filled in. It returns a CodeAzureCLIUnavailable problem
// if az is missing or nobody is signed in, CodeTimeout if az takes too long.
func CurrentAzureCLIAccount(ctx context.Context, azPath string) (AzureCLIAccount, error) {
	return currentAccount(ctx, execRunner{}, azPath)
}

func currentAccount(ctx context.Context, runner Runner, azPath string) (AzureCLIAccount, error) {
	ctx, cancel := context.WithTimeout(ctx, azAccountLimit)
	defer cancel()
	stdout, _, err := runner.Run(ctx, azPath, "account", "show", "--output", "json")
	if err == nil {
		return decodeAccount(stdout)
	}
	if ctx.Err() != nil {
		return AzureCLIAccount{}, contextProblem(ctx.Err(), "Running az")
	}
	if _, failed := err.(*exec.ExitError); failed {
		return AzureCLIAccount{}, azUnavailable("Nobody is signed in with az.", "A person runs: az login")
	}
	return AzureCLIAccount{}, azNotRunnable(azPath, err)
}

func decodeAccount(data []byte) (AzureCLIAccount, error) {
	var answer struct {
		TenantID   string `json:"tenantId"`
		TenantName string `json:"tenantDisplayName"`
		Cloud      string `json:"environmentName"`
		User       struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"user"`
	}
	// Some versions put a byte order mark before it.
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &answer)
	if err != nil || !schemas.IsGUID(answer.TenantID) {
		return AzureCLIAccount{}, azUnavailable("az does not say in which tenant it is signed in.", "A person runs: az account show")
	}
	return AzureCLIAccount{
		TenantID: fold(answer.TenantID), TenantName: schemas.Foreign(answer.TenantName),
		User: schemas.Foreign(answer.User.Name), UserType: schemas.Foreign(answer.User.Type), Cloud: schemas.Foreign(answer.Cloud),
	}, nil
}
