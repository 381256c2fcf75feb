package armclient

import (
	"strings"

	"mcp-partner/schemas"
)

// nextStepOf is the next step where ARM's own code says more than the status; nil
// where the usual one of the problem's code stands.
func nextStepOf(code schemas.Code, said armError) schemas.ProblemOption {
	switch {
	case code == schemas.CodeBadRequest && said.code == "InvalidApiVersionParameter":
		return schemas.WithHint("The provider no longer accepts api-version %s. Report it to the project. The state of the link is not known.", schemas.APIVersion)
	case code == schemas.CodeUnauthorized && said.code == "ExpiredAuthenticationToken":
		return schemas.WithHint("The token has expired: check the clock of this machine, then try again. The state of the link is not known.")
	case code == schemas.CodeUnauthorized && said.missesPrincipal():
		return schemas.WithCommand("The service principal is not in that tenant: an administrator there has to consent to the application. The state of the link is not known.",
			"mcp-partner tenants consent-links")
	}
	return nil
}

// missesPrincipal reports whether ARM misses the identity in the tenant, which
// it says in the message alone.
func (e armError) missesPrincipal() bool {
	message := strings.ToLower(e.message)
	return strings.Contains(message, "claim 'oid'") || strings.Contains(message, "service principal exists in the tenant")
}
