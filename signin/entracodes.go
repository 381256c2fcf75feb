package signin

import (
	"slices"
	"strconv"
	"strings"

	"mcp-partner/schemas"
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
	findingPerson  // a person signs in again, or completes MFA
	findingNoUser  // the user has no account in the tenant
	findingBlocked // only an administrator can change it
	findingAudience
	findingMalformed // a defect of this program
	findingBusy
	findingDeclined
	findingLate
)

// entraCode is one number of Entra ID's errors.
type entraCode struct {
	number  int
	finding finding
	scope   scope
	// detail completes "The sign-in ... is blocked: " for findingBlocked, and
	// "no federated credential that fits: " for findingNotFederated.
	detail string
}

// entraCodes are the numbers that this program knows, by the reference of
// Microsoft (learn.microsoft.com/entra/identity-platform/reference-error-codes)
// and by what was seen. Only scopeCredential is remembered in all tenants at
// once.
func entraCodes() []entraCode {
	return slices.Concat(tenantCodes(), credentialCodes(), personCodes(), blockedCodes(), otherCodes())
}

// tenantCodes are about whether the tenant is there and knows the application.
func tenantCodes() []entraCode {
	return []entraCode{
		{90002, findingNoTenant, scopeTenant, ""},
		{900023, findingNoTenant, scopeTenant, ""},
		{90019, findingNoTenant, scopeTenant, ""},
		{50059, findingNoTenant, scopeTenant, ""},
		{50128, findingNoTenant, scopeTenant, ""},
		{90038, findingOtherCloud, scopeTenant, ""},
		{90043, findingOtherCloud, scopeTenant, ""},
		{90051, findingOtherCloud, scopeTenant, ""},
		{900382, findingOtherCloud, scopeTenant, ""},
		{900432, findingOtherCloud, scopeTenant, ""},
		{900439, findingOtherCloud, scopeTenant, ""},
		{700016, findingNoConsent, scopeTenant, ""},
		{70001, findingNoConsent, scopeTenant, ""},
		{7000229, findingNoConsent, scopeTenant, ""},
		{65001, findingNoConsent, scopeTenant, ""},
		{65004, findingNoConsent, scopeTenant, ""},
		{90008, findingNoConsent, scopeTenant, ""},
		{90093, findingNoConsent, scopeTenant, ""},
		{90094, findingNoConsent, scopeTenant, ""},
		{90095, findingNoConsent, scopeTenant, ""},
		{90099, findingNoConsent, scopeTenant, ""},
		{650051, findingNoConsent, scopeTenant, ""},
		{7000112, findingAppDisabled, scopeUnclear, ""},
		{500011, findingAudience, scopeTenant, ""},
		{50001, findingAudience, scopeTenant, ""},
		{650057, findingAudience, scopeTenant, ""},
	}
}

// credentialCodes are about what the application shows. They come from its
// registration, which is one for all tenants.
func credentialCodes() []entraCode {
	const whole = "its issuer, subject and audience"
	return []entraCode{
		{7000215, findingSecretRejected, scopeCredential, ""},
		{7000222, findingSecretExpired, scopeCredential, ""},
		{7000216, findingSecretRejected, scopeCredential, ""},
		{7000218, findingSecretRejected, scopeCredential, ""},
		{70002, findingSecretRejected, scopeUnclear, ""},
		{50012, findingSecretRejected, scopeUnclear, ""},
		{50013, findingSecretRejected, scopeUnclear, ""},
		{50027, findingSecretRejected, scopeUnclear, ""},
		{50032, findingSecretRejected, scopeCredential, ""},
		{700021, findingSecretRejected, scopeCredential, ""},
		{700023, findingSecretRejected, scopeUnclear, ""},
		{700025, findingSecretRejected, scopeCredential, ""},
		{700027, findingSecretRejected, scopeCredential, ""},
		{700030, findingSecretRejected, scopeCredential, ""},
		{700024, findingClock, scopeCredential, ""},
		{70021, findingNotFederated, scopeCredential, whole},
		{700211, findingNotFederated, scopeCredential, "its issuer"},
		{700212, findingNotFederated, scopeCredential, "its audience"},
		{700213, findingNotFederated, scopeCredential, "its subject"},
		{700214, findingNotFederated, scopeCredential, whole},
		{700238, findingNotFederated, scopeUnclear, whole},
	}
}

// personCodes are those that a person mends by signing in.
func personCodes() []entraCode {
	return []entraCode{
		{50058, findingPerson, scopeTenant, ""},
		{50072, findingPerson, scopeTenant, ""},
		{50074, findingPerson, scopeTenant, ""},
		{50076, findingPerson, scopeTenant, ""},
		{50078, findingPerson, scopeTenant, ""},
		{50079, findingPerson, scopeTenant, ""},
		{50125, findingPerson, scopeTenant, ""},
		{50127, findingPerson, scopeTenant, ""},
		{50140, findingPerson, scopeTenant, ""},
		{50158, findingPerson, scopeTenant, ""},
		{50199, findingPerson, scopeTenant, ""},
		{70043, findingPerson, scopeTenant, ""},
		{50055, findingPerson, scopeUnclear, ""},
		{50126, findingPerson, scopeUnclear, ""},
		{50132, findingPerson, scopeUnclear, ""},
		{50133, findingPerson, scopeUnclear, ""},
		{50144, findingPerson, scopeUnclear, ""},
		{50173, findingPerson, scopeUnclear, ""},
		{54005, findingPerson, scopeUnclear, ""},
		{70000, findingPerson, scopeUnclear, ""},
		{70008, findingPerson, scopeUnclear, ""},
		{700081, findingPerson, scopeUnclear, ""},
		{700082, findingPerson, scopeUnclear, ""},
		{700084, findingPerson, scopeUnclear, ""},
		{50020, findingNoUser, scopeTenant, ""},
		{50034, findingNoUser, scopeTenant, ""},
		{51004, findingNoUser, scopeTenant, ""},
		{50177, findingNoUser, scopeTenant, ""},
		{50178, findingNoUser, scopeTenant, ""},
		{90072, findingNoUser, scopeTenant, ""},
		{70016, findingLate, scopeTenant, ""},
		{70018, findingDeclined, scopeTenant, ""},
		{70019, findingLate, scopeTenant, ""},
		{70020, findingLate, scopeTenant, ""},
	}
}

// blockedCodes are those that no sign-in and no secret mends.
func blockedCodes() []entraCode {
	const (
		policy  = "a Conditional Access policy of the tenant refuses it"
		device  = "a policy of the tenant asks for a device that it manages"
		user    = "the user is disabled"
		api     = "the service principal of Azure Resource Manager is disabled in the tenant"
		network = "the tenant restricts which tenants may be reached from this network"
	)
	return []entraCode{
		{53003, findingBlocked, scopeTenant, policy},
		{53002, findingBlocked, scopeTenant, policy},
		{53009, findingBlocked, scopeTenant, policy},
		{530031, findingBlocked, scopeTenant, policy},
		{530032, findingBlocked, scopeTenant, policy},
		{530033, findingBlocked, scopeTenant, policy},
		{530034, findingBlocked, scopeTenant, policy},
		{530035, findingBlocked, scopeTenant, "the security defaults of the tenant refuse it"},
		{50005, findingBlocked, scopeTenant, device},
		{50097, findingBlocked, scopeTenant, device},
		{50129, findingBlocked, scopeTenant, device},
		{50131, findingBlocked, scopeTenant, policy},
		{50155, findingBlocked, scopeTenant, device},
		{53000, findingBlocked, scopeTenant, device},
		{53001, findingBlocked, scopeTenant, device},
		{53010, findingBlocked, scopeTenant, policy},
		{53011, findingBlocked, scopeTenant, "the tenant regards the user as a risk"},
		{53004, findingBlocked, scopeTenant, "the tenant regards the sign-in as a risk"},
		{53008, findingBlocked, scopeTenant, policy},
		{135011, findingBlocked, scopeTenant, "the device is disabled"},
		{50002, findingBlocked, scopeTenant, network},
		{500021, findingBlocked, scopeTenant, network},
		{5000211, findingBlocked, scopeTenant, network},
		{500212, findingBlocked, scopeTenant, "the cross-tenant access settings of a tenant refuse it"},
		{500213, findingBlocked, scopeTenant, "the cross-tenant access settings of the tenant refuse it"},
		{500014, findingBlocked, scopeTenant, api},
		{50014, findingBlocked, scopeTenant, "the user has not accepted the invitation to the tenant"},
		{50015, findingBlocked, scopeTenant, "the user needs the consent of a guardian"},
		{50053, findingBlocked, scopeUnclear, "the account is locked, or the address of this machine is blocked"},
		{50057, findingBlocked, scopeUnclear, user},
		{50105, findingBlocked, scopeTenant, "the application asks for an assignment, and this identity has none"},
		{50107, findingBlocked, scopeTenant, "the federation of the user's domain is not there"},
		{50135, findingBlocked, scopeUnclear, "the password of the user has to be changed for reasons of risk"},
		{50194, findingBlocked, scopeCredential, "the application is single-tenant: its registration has to allow other tenants"},
		{65005, findingBlocked, scopeUnclear, "the registration of the application does not ask for Azure Resource Manager"},
		{650052, findingBlocked, scopeTenant, "the tenant has no subscription to a service that the application asks for"},
		{650056, findingBlocked, scopeUnclear, "the registration of the application is incomplete"},
		{700003, findingBlocked, scopeTenant, "the device is not known in the tenant"},
		{700229, findingBlocked, scopeTenant, "the tenant takes tokens of applications only"},
		{7000113, findingBlocked, scopeUnclear, "the application may not ask for tokens"},
	}
}

// otherCodes are of requests and of the service itself; none is remembered.
func otherCodes() []entraCode {
	return []entraCode{
		{50011, findingMalformed, scopeUnclear, ""},
		{70003, findingMalformed, scopeUnclear, ""},
		{70011, findingMalformed, scopeUnclear, ""},
		{900144, findingMalformed, scopeUnclear, ""},
		{90013, findingMalformed, scopeUnclear, ""},
		{90014, findingMalformed, scopeUnclear, ""},
		{90023, findingMalformed, scopeUnclear, ""},
		{900561, findingMalformed, scopeUnclear, ""},
		{501481, findingMalformed, scopeUnclear, ""},
		{9010010, findingMalformed, scopeUnclear, ""},
		{50033, findingBusy, scopeUnclear, ""},
		{50196, findingBusy, scopeUnclear, ""},
		{70012, findingBusy, scopeUnclear, ""},
		{90006, findingBusy, scopeUnclear, ""},
		{90012, findingBusy, scopeUnclear, ""},
		{90024, findingBusy, scopeUnclear, ""},
		{90033, findingBusy, scopeUnclear, ""},
		{90036, findingBusy, scopeUnclear, ""},
		{90055, findingBusy, scopeUnclear, ""},
		{90056, findingMalformed, scopeUnclear, ""},
	}
}

// entraCodeOf returns what is known of a number.
func entraCodeOf(number int) (entraCode, bool) {
	table := entraCodes()
	i := slices.IndexFunc(table, func(c entraCode) bool { return c.number == number })
	if i < 0 {
		return entraCode{}, false
	}
	return table[i], true
}

// knownCode returns the first number of an error that is known.
func knownCode(numbers ...int) (entraCode, bool) {
	for _, number := range numbers {
		if known, ok := entraCodeOf(number); ok {
			return known, true
		}
	}
	return entraCode{}, false
}

// codeOfProblem returns what is known of the number that a problem carries.
func codeOfProblem(problem *schemas.Problem) (entraCode, bool) {
	number, err := strconv.Atoi(strings.TrimPrefix(problem.ForeignCode, "AADSTS"))
	if err != nil {
		return entraCode{}, false
	}
	return entraCodeOf(number)
}

// WrongSecret reports whether a sign-in failed because of the secret itself, so
// that another secret may be accepted.
func WrongSecret(err error) bool {
	if err == nil {
		return false
	}
	known, _ := codeOfProblem(schemas.AsProblem(err))
	return known.finding == findingSecretRejected || known.finding == findingSecretExpired
}

// scopeOf says for whom a problem of a sign-in speaks. Without a number that is
// known, only what names the tenant is its own.
func scopeOf(problem *schemas.Problem) scope {
	if known, ok := codeOfProblem(problem); ok {
		return known.scope
	}
	switch problem.Code {
	case schemas.CodeCredentialRejected, schemas.CodeCredentialExpired, schemas.CodeAzureCLIUnavailable:
		return scopeUnclear
	}
	return scopeTenant
}
