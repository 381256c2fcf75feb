package signin

import (
	"fmt"

	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

func (t target) renewHint() schemas.ProblemOption {
	switch t.credential.Kind {
	case tenants.KindClientCertificate:
		return schemas.WithCommand("Upload the certificate with thumbprint "+t.credential.Thumbprint+" to the application, or ask a person to store another one.", "mcp-partner tenants set %s --certificate-file FILE", t.tenant)
	case tenants.KindWorkloadIdentity:
		return schemas.WithHint("Compare issuer, subject and audience of the application's federated credential with those of the assertion; the audience is %s.", assertionAudience)
	case tenants.KindManagedIdentity:
		return schemas.WithHint("Assign the identity to this machine, or name the assigned one by client ID, resource ID or object ID.")
	case tenants.KindDeviceCode, tenants.KindBrowser:
		return t.loginHint()
	}
	return schemas.WithCommand("Ask a person to store a new one: the secret's value, not its ID.", "mcp-partner tenants set %s --secret-stdin", t.tenant)
}

// endHint is renewHint for a secret whose end a person said: another one may be
// in its place by now, put there by another program.
func (t target) endHint() schemas.ProblemOption {
	if t.credential.Kind != tenants.KindClientSecret {
		return t.renewHint()
	}
	return schemas.WithCommand("Ask a person to store a new one. If the vault already holds a new one, leave --secret-stdin out and set only its expiry date.", "mcp-partner tenants set %s --secret-stdin --expires DATE", t.tenant)
}

func (t target) storeHint() schemas.ProblemOption {
	if t.credential.Kind == tenants.KindClientCertificate {
		return schemas.WithCommand("Ask a person to store it.", "mcp-partner tenants set %s --certificate-file FILE", t.tenant)
	}
	return schemas.WithCommand("Ask a person to store it.", "mcp-partner tenants set %s --secret-stdin", t.tenant)
}

func (t target) loginHint() schemas.ProblemOption {
	return schemas.WithCommand("Ask a person to sign in.", "mcp-partner vault login %s", t.credential.Name)
}

func (t target) notFederated(what string) *schemas.Problem {
	return schemas.NewProblem(schemas.CodeCredentialRejected,
		fmt.Sprintf("The application of credential %s has no federated credential for the assertion: %s.", t.credential.Name, what), t.renewHint())
}

// clockProblem is about an assertion outside of its time: one made here, by a
// clock that is wrong, or a file that nobody keeps fresh.
func (t target) clockProblem() *schemas.Problem {
	hint := "Check the clock of this machine."
	if t.credential.Kind == tenants.KindWorkloadIdentity {
		hint = "Check that the platform keeps the token fresh (" + t.credential.TokenFile + "), and the clock of this machine."
	}
	return schemas.NewProblem(schemas.CodeCredentialExpired,
		fmt.Sprintf("Entra ID rejects the assertion of credential %s as expired or not yet valid.", t.credential.Name), schemas.WithHint("%s", hint))
}
