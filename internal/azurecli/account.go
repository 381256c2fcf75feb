package azurecli

import (
	"context"
	"os/exec"
	"path/filepath"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
)

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
		return "", Unavailable("The az command is not on the PATH.", schemas.WithCommand("Ask a person to install Azure CLI and sign in.", "az login"))
	}
	return path, nil
}

// accountLimit bounds az where the caller's context does not.
const accountLimit = 30 * time.Second

// CurrentAccount asks az for its current account, with which a new
// tenant entry can be filled in. It returns a CodeAzureCLIUnavailable problem
// if az is missing or nobody is signed in, CodeTimeout if az takes too long.
func CurrentAccount(ctx context.Context, azPath string) (Account, error) {
	return currentAccount(ctx, Command{}, azPath)
}

func currentAccount(ctx context.Context, runner Runner, azPath string) (Account, error) {
	ctx, cancel := context.WithTimeout(ctx, accountLimit)
	defer cancel()
	stdout, stderr, err := runner.Run(ctx, azPath, "account", "show", "--output", "json")
	if err == nil {
		return decodeAccount(stdout)
	}
	if ctx.Err() != nil {
		return Account{}, schemas.ContextProblem(ctx.Err(), "Running az")
	}
	if _, failed := err.(*exec.ExitError); failed {
		return Account{}, Failed(stderr, "az account show", "az login")
	}
	return Account{}, NotRunnable(azPath, err)
}

func decodeAccount(output []byte) (Account, error) {
	account, ok := decodeObject(output, func(a Account) bool { return schemas.IsGUID(a.TenantID) })
	if !ok {
		return Account{}, Unavailable("az does not name the tenant that it is signed in to.", schemas.WithCommand("Ask a person to run az by hand.", "az account show"))
	}
	account.TenantID = naming.Fold(account.TenantID)
	for _, text := range []*string{&account.TenantName, &account.User.Name, &account.User.Type, &account.Cloud} {
		*text = schemas.Sanitize(*text)
	}
	return account, nil
}
