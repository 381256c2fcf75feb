package doctor

import (
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// signInFix is the command for a sign-in that failed, where the problem names
// none itself. A new secret mends no network.
func signInFix(err error, entry tenants.Entry, config tenants.CredentialConfig) string {
	if fix := networkFix(err, entry.Cloud.Authority); fix != "" {
		return fix
	}
	switch schemas.AsProblem(err).Code {
	case schemas.CodeConsentMissing:
		return "mcp-partner tenants consent-links --credential " + phrase.ShellWord(config.Name)
	case schemas.CodeTenantNotFound, schemas.CodeWrongTenant:
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
	switch schemas.AsProblem(err).Code {
	case schemas.CodeNetwork, schemas.CodeTimeout:
		command := "curl -sSI"
		for _, host := range hosts {
			command += " " + phrase.ShellWord(host)
		}
		return command
	case schemas.CodeSignInUnavailable, schemas.CodeThrottled, schemas.CodeARMUnavailable:
		return "mcp-partner doctor" // again, later
	}
	return ""
}
