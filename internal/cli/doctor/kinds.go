package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

func warnOfKind(config tenants.CredentialConfig) []check {
	if config.Kind != tenants.KindAzureCLI {
		return nil
	}
	return []check{{"azure-cli", CheckWarn,
		"The credential " + config.Name + " is the person signed in with az: anyone with this shell can do the same without this program, outside its checks and its ledger.",
		"mcp-partner tenants set NAME --credential APP --client-id GUID --secret-stdin"}}
}

// checkExpiry says when a credential ends. What is not known cannot be warned
// of in time.
func checkExpiry(config tenants.CredentialConfig, entries []tenants.Entry, now time.Time) []check {
	name := "end of " + config.Name
	fix := "mcp-partner tenants set " + tenantWith(entries, config.Name) + map[tenants.Kind]string{
		tenants.KindClientCertificate: " --certificate-file FILE", tenants.KindClientSecret: " --secret-stdin --expires DATE"}[config.Kind]
	switch state, end := config.Expiry(now); state {
	case tenants.ExpiryUnknown:
		return []check{{name, CheckWarn, "The expiry date of the secret is unknown, so it can expire without a warning.", strings.Replace(fix, " --secret-stdin", "", 1)}}
	case tenants.ExpiryPast:
		return []check{{name, CheckFail, "It expired on " + end.Format(time.DateOnly) + " and signs in nowhere.", fix}}
	case tenants.ExpirySoon:
		return []check{{name, CheckWarn, fmt.Sprintf("It expires on %s, in %s.", end.Format(time.DateOnly), phrase.Count(int(end.Sub(now).Hours()/24), "day")), fix}}
	case tenants.ExpiryValid:
		return []check{{name, checkOK, "It expires on " + end.Format(time.DateOnly) + ".", ""}}
	}
	return nil
}

func checkHome(config tenants.CredentialConfig, entries []tenants.Entry) []check {
	var checks []check
	for _, entry := range tenants.Using(entries, config.Name) {
		if config.HomeTenant != "" && config.HomeTenant != entry.TenantID {
			checks = append(checks, check{"home of " + config.Name, CheckFail,
				"The managed identity exists in tenant " + config.HomeTenant + " only, and " + entry.Name + " is another.",
				"mcp-partner tenants set " + entry.Name + " --credential APP --client-id GUID --secret-stdin"})
		}
	}
	return checks
}

// withKnownEnd is a credential with the end that is known by now: a sign-in may
// just have learned it, and the backend may know one.
func withKnownEnd(ctx context.Context, a *app.App, config tenants.CredentialConfig) tenants.CredentialConfig {
	if now, err := a.Directory.Credential(config.Name); err == nil {
		config = now
	}
	if !config.Kind.Given() {
		return config
	}
	held, _ := a.Store.Get(ctx, config.SecretName) // without one, nothing more is known
	return app.WithEnd(config, held.ExpiresAt)
}

func tenantWith(entries []tenants.Entry, credential string) string {
	if users := tenants.Using(entries, credential); len(users) > 0 {
		return users[0].Name
	}
	return "NAME"
}

// standing says what a credential is, whom it serves, and what became of its
// sign-ins before this one.
func standing(config tenants.CredentialConfig, entries []tenants.Entry, before tenants.Health) string {
	served := len(tenants.Using(entries, config.Name))
	text := fmt.Sprintf(" It is of the kind %s, for %s.", config.Kind, phrase.Count(served, "tenant"))
	if !before.LastSuccess.IsZero() {
		text += " Before this it worked on " + before.LastSuccess.UTC().Format(time.RFC3339) + "."
	}
	if !before.LastFailure.IsZero() {
		text += fmt.Sprintf(" Before this it failed on %s, in tenant %s (%s).", before.LastFailure.UTC().Format(time.RFC3339), untrusted.Sanitize(before.LastTenant), untrusted.Sanitize(string(before.LastProblem)))
	}
	return text
}

// checkSurroundings shows the variables that decide where a managed identity is
// asked for, and by their names those that look as if they
// decided something and do not. A value may be a secret and is never shown.
func checkSurroundings(deps *cmdutil.Deps, credentials []tenants.CredentialConfig) []check {
	var set []string
	for _, name := range signin.IdentityVariables() {
		if deps.Getenv(name) != "" {
			set = append(set, name)
		}
	}
	var checks []check
	if slices.ContainsFunc(credentials, func(c tenants.CredentialConfig) bool { return c.Kind == tenants.KindManagedIdentity }) {
		checks = append(checks, check{"identity endpoint", checkOK, identityEndpoint(set), ""})
	}
	// These redirect other programs that use the same SDK.
	for _, name := range []string{"AZURE_AUTHORITY_HOST", "AZURE_REGIONAL_AUTHORITY_NAME", "MSAL_FORCE_REGION"} {
		if deps.Getenv(name) != "" {
			checks = append(checks, check{"variable " + name, CheckWarn, name + " is set and has no effect: the directory says where a credential is sent.", "unset " + name})
		}
	}
	return checks
}

func identityEndpoint(set []string) string {
	if len(set) == 0 {
		return "Managed identities are asked for at the metadata service of a virtual machine (169.254.169.254)."
	}
	return "Managed identities are asked for where the environment says: " + strings.Join(set, ", ") + "."
}

// signInFix is the command for a sign-in that failed, where the problem names
// none itself. A new secret does not fix a network.
func signInFix(err error, entry tenants.Entry, config tenants.CredentialConfig) string {
	if fix := networkFix(err, entry.Cloud.Authority); fix != "" {
		return fix
	}
	switch problems.As(err).Code {
	case problems.CodeConsentMissing:
		return "mcp-partner tenants consent-links --credential " + phrase.ShellWord(config.Name)
	case problems.CodeTenantNotFound, problems.CodeWrongTenant:
		return "mcp-partner tenants set " + entry.Name + " --tenant-id GUID"
	}
	switch config.Kind {
	case tenants.KindClientSecret:
		return "mcp-partner tenants set " + entry.Name + " --secret-stdin"
	case tenants.KindClientCertificate:
		return "mcp-partner tenants set " + entry.Name + " --certificate-file FILE"
	case tenants.KindDeviceCode, tenants.KindBrowser:
		return "mcp-partner vault login " + phrase.ShellWord(config.Name)
	}
	return "mcp-partner tenants set " + entry.Name + " --credential APP --client-id GUID --secret-stdin"
}

func readFix(err error, entry tenants.Entry) string {
	if fix := networkFix(err, entry.Cloud.Authority, entry.Cloud.ARMEndpoint); fix != "" {
		return fix
	}
	return "mcp-partner call check_partner_link --tenant " + entry.Name
}

// networkFix is for hosts that were not reached, or will answer later; "" is for
// every other problem.
func networkFix(err error, hosts ...string) string {
	switch problems.As(err).Code {
	case problems.CodeNetwork, problems.CodeTimeout:
		command := "curl -sSI"
		for _, host := range hosts {
			command += " " + phrase.ShellWord(host)
		}
		return command
	case problems.CodeSignInUnavailable, problems.CodeThrottled, problems.CodeARMUnavailable:
		return "mcp-partner doctor" // again, later
	}
	return ""
}
