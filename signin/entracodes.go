package signin

import (
	"slices"
	"strconv"
	"strings"

	"mcp-partner/schemas/problems"
)

// scope says for whom a refusal speaks.
type scope int

const (
	// scopeUnclear may be the tenant's own or the credential's: the answer does
	// not say which.
	scopeUnclear scope = iota
	// scopeTenant is the tenant's own, whatever the credential does elsewhere.
	scopeTenant
	// scopeCredential holds in every tenant.
	scopeCredential
)

// finding is what an error of Entra ID means to this program.
type finding int

const (
	findingUnknown finding = iota
	findingNoTenant
	findingOtherCloud
	findingNoConsent
	findingAppDisabled
	findingSecretRejected
	findingSecretExpired
	findingClock
	findingNotFederated
	findingPerson       // a person signs in again, or completes MFA
	findingNoUser       // the user has no account in the tenant
	findingBlocked      // only an administrator can change it
	findingRegistration // as above, at the application's home
	findingAudience
	findingMalformed // a defect of this program
	findingBusy
	findingDeclined
	findingLate
)

// meaning is what a finding says to the user. Without a hint the next step is
// that of the code, or of the credential's kind where it is rejected.
type meaning struct {
	code          problems.Code
	message, hint string
}

// meanings are those of all findings but the ones that depend on more than the
// words in braces.
var meanings = map[finding]meaning{
	findingUnknown:  {problems.CodeSignInUnavailable, "Signing in to tenant {tenant} failed: {host} refused the request for an unknown reason.", ""},
	findingNoTenant: {problems.CodeTenantNotFound, "Entra ID ({host}) knows no tenant {id}, which the directory has as {tenant}.", ""},
	findingNoConsent: {problems.CodeConsentMissing, "The application of credential {credential} is not in tenant {tenant}, or nobody there consented to it.",
		"An administrator of that tenant opens {consent} (if the client ID is right)."},
	// Entra ID answers alike for both places. The text names no tenant, because
	// it may be remembered for all of them.
	findingAppDisabled: {problems.CodeCredentialRejected, "The application of credential {credential} is disabled in this tenant (Enterprise applications), or in its home tenant.",
		"An administrator of the tenant enables it under Enterprise applications; if no tenant accepts it, an administrator of its home tenant does."},
	findingSecretRejected: {problems.CodeCredentialRejected, "Entra ID does not accept the {proof} of credential {credential}.", ""},
	findingSecretExpired:  {problems.CodeCredentialExpired, "The {proof} of credential {credential} has expired.", ""},
	findingNotFederated:   {problems.CodeCredentialRejected, "The application of credential {credential} has no federated credential for the assertion: {detail}.", ""},
	findingNoUser:         {problems.CodeForeignPrincipal, "The user of credential {credential} has no account in tenant {tenant}.", ""},
	findingBlocked:        {problems.CodeSignInBlocked, "The sign-in of credential {credential} to tenant {tenant} is blocked: {detail}.", ""},
	findingRegistration: {problems.CodeSignInBlocked, "The sign-in of credential {credential} to tenant {tenant} is blocked: {detail}.",
		"An administrator of the application's home tenant corrects its registration in Entra ID."},
	findingAudience: {problems.CodeSignInUnavailable, "Signing in to tenant {tenant} failed: {host} does not know the audience of the directory entry.",
		"Check the cloud and the ARM audience of the entry."},
	findingMalformed: {problems.CodeSignInUnavailable, "Signing in to tenant {tenant} failed: {host} does not understand the request.",
		"Report this with the code: it is a defect of this program, or of a proxy that changes requests."},
	findingBusy: {problems.CodeSignInUnavailable, "Signing in to tenant {tenant} failed: {host} is temporarily unavailable.", ""},
}

// entraCodes are numbers of Entra ID's errors that mean the same.
type entraCodes struct {
	finding finding
	scope   scope
	// detail completes "The sign-in ... is blocked: ", and "no federated
	// credential that fits: " for findingNotFederated.
	detail  string
	numbers []int
}

// knownCodes are the numbers that this program knows, by the reference of
// Microsoft (learn.microsoft.com/entra/identity-platform/reference-error-codes)
// and by what was seen. Only scopeCredential is remembered in all tenants at
// once: what an application shows comes from its registration, which is one for
// all tenants.
var knownCodes = []entraCodes{
	{findingNoTenant, scopeTenant, "", []int{90002, 900023, 90019, 50059, 50128}},
	{findingOtherCloud, scopeTenant, "", []int{90038, 90043, 90051, 900382, 900432, 900439}},
	{findingNoConsent, scopeTenant, "", []int{700016, 70001, 7000229, 65001, 65004, 90008, 90093, 90094, 90095, 90099, 650051}},
	{findingAppDisabled, scopeUnclear, "", []int{7000112}},
	{findingAudience, scopeTenant, "", []int{500011, 50001, 650057}},
	{findingSecretRejected, scopeCredential, "", []int{7000215, 7000216, 7000218, 50032, 700021, 700025, 700027, 700030}},
	{findingSecretExpired, scopeCredential, "", []int{7000222}},
	{findingSecretRejected, scopeUnclear, "", []int{70002, 50012, 50013, 50027, 700023}},
	{findingClock, scopeCredential, "", []int{700024}},
	{findingNotFederated, scopeCredential, "its issuer, subject and audience", []int{70021, 700214}},
	{findingNotFederated, scopeCredential, "its issuer", []int{700211}},
	{findingNotFederated, scopeCredential, "its audience", []int{700212}},
	{findingNotFederated, scopeCredential, "its subject", []int{700213}},
	{findingNotFederated, scopeUnclear, "its issuer, subject and audience", []int{700238}},
	{findingPerson, scopeTenant, "", []int{50058, 50072, 50074, 50076, 50078, 50079, 50125, 50127, 50140, 50158, 50199, 70043}},
	{findingPerson, scopeUnclear, "", []int{50055, 50126, 50132, 50133, 50144, 50173, 54005, 70000, 70008, 700081, 700082, 700084}},
	{findingNoUser, scopeTenant, "", []int{50020, 50034, 51004, 50177, 50178, 90072}},
	{findingLate, scopeTenant, "", []int{70016, 70019, 70020}},
	{findingDeclined, scopeTenant, "", []int{70018}},
	{findingMalformed, scopeUnclear, "", []int{50011, 70003, 70011, 900144, 90013, 90014, 90023, 900561, 501481, 9010010, 90056}},
	{findingBusy, scopeUnclear, "", []int{50033, 50196, 70012, 90006, 90012, 90024, 90033, 90036, 90055}},

	// Neither a sign-in nor a new secret fixes these.
	{findingBlocked, scopeTenant, "a Conditional Access policy of the tenant refuses it", []int{
		53003, 53002, 53009, 530031, 530032, 530033, 530034, 50131, 53010, 53008}},
	{findingBlocked, scopeTenant, "the security defaults of the tenant refuse it", []int{530035}},
	{findingBlocked, scopeTenant, "a policy of the tenant asks for a device that it manages", []int{50005, 50097, 50129, 50155, 53000, 53001}},
	{findingBlocked, scopeTenant, "the tenant considers the user a risk", []int{53011}},
	{findingBlocked, scopeTenant, "the tenant considers the sign-in a risk", []int{53004}},
	{findingBlocked, scopeTenant, "the device is disabled", []int{135011}},
	{findingBlocked, scopeTenant, "the tenant restricts which tenants may be reached from this network", []int{50002, 500021, 5000211}},
	{findingBlocked, scopeTenant, "the cross-tenant access settings of a tenant refuse it", []int{500212}},
	{findingBlocked, scopeTenant, "the cross-tenant access settings of the tenant refuse it", []int{500213}},
	{findingBlocked, scopeTenant, "the service principal of Azure Resource Manager is disabled in the tenant", []int{500014}},
	{findingBlocked, scopeTenant, "the user has not accepted the invitation to the tenant", []int{50014}},
	{findingBlocked, scopeTenant, "the user needs the consent of a guardian", []int{50015}},
	{findingBlocked, scopeUnclear, "the account is locked, or the address of this machine is blocked", []int{50053}},
	{findingBlocked, scopeUnclear, "the user is disabled", []int{50057}},
	{findingBlocked, scopeTenant, "the application requires an assignment, and this identity has none", []int{50105}},
	{findingBlocked, scopeTenant, "the federation of the user's domain does not exist", []int{50107}},
	{findingBlocked, scopeUnclear, "the user's password must be changed because of a risk", []int{50135}},
	{findingRegistration, scopeTenant, "the application is single-tenant: its registration must allow other tenants", []int{50194}},
	{findingRegistration, scopeUnclear, "the registration of the application does not ask for Azure Resource Manager", []int{65005}},
	{findingBlocked, scopeTenant, "the tenant has no subscription to a service that the application asks for", []int{650052}},
	{findingRegistration, scopeUnclear, "the registration of the application is incomplete", []int{650056}},
	{findingBlocked, scopeTenant, "the tenant does not know the device", []int{700003}},
	{findingBlocked, scopeTenant, "the tenant accepts only tokens of applications", []int{700229}},
	{findingRegistration, scopeUnclear, "the application may not request tokens", []int{7000113}},
}

func knownCode(numbers ...int) (number int, known entraCodes) {
	for _, number := range numbers {
		if i := slices.IndexFunc(knownCodes, func(c entraCodes) bool { return slices.Contains(c.numbers, number) }); i >= 0 {
			return number, knownCodes[i]
		}
	}
	return 0, entraCodes{}
}

func codeOfProblem(problem *problems.Problem) (number int, known entraCodes) {
	number, _ = strconv.Atoi(strings.TrimPrefix(problem.ForeignCode, "AADSTS")) // 0 is not known
	return knownCode(number)
}

// WrongSecret reports whether a sign-in failed because of the secret itself, so
// that another secret may be accepted.
func WrongSecret(err error) bool {
	if err == nil {
		return false
	}
	_, known := codeOfProblem(problems.As(err))
	return known.finding == findingSecretRejected || known.finding == findingSecretExpired
}

// scopeOf says for whom a problem of a sign-in speaks. Without a number that is
// known, only what names the tenant is its own.
func scopeOf(problem *problems.Problem) scope {
	if number, known := codeOfProblem(problem); number != 0 {
		return known.scope
	}
	switch problem.Code {
	case problems.CodeCredentialRejected, problems.CodeCredentialExpired, problems.CodeAzureCLIUnavailable:
		return scopeUnclear
	}
	return scopeTenant
}
