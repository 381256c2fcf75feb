package signin

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// decidedCodes maps every number to the problem that an agent gets and to the
// scope of the refusal.
func decidedCodes() []struct {
	code    problems.Code
	scope   scope
	retry   bool
	numbers []int
} {
	return []struct {
		code    problems.Code
		scope   scope
		retry   bool
		numbers []int
	}{
		{
			code: problems.CodeTenantNotFound, scope: scopeTenant,
			numbers: []int{90002, 900023, 90019, 50059, 50128, 90038, 90043, 90051, 900382, 900432, 900439},
		},
		{
			code: problems.CodeConsentMissing, scope: scopeTenant,
			numbers: []int{700016, 70001, 7000229, 65001, 65004, 90008, 90093, 90094, 90095, 90099, 650051},
		},
		{code: problems.CodeCredentialRejected, scope: scopeUnclear, numbers: []int{7000112, 70002, 50012, 50013, 50027, 700023, 700238}},
		{code: problems.CodeCredentialRejected, scope: scopeCredential, retry: false, numbers: []int{7000215, 7000216, 7000218, 50032, 700021, 700025, 700027, 700030,
			70021, 700211, 700212, 700213, 700214}},
		{code: problems.CodeCredentialExpired, scope: scopeCredential, numbers: []int{7000222, 700024}},
		{code: problems.CodeInteractionRequired, scope: scopeTenant, retry: false, numbers: []int{50058, 50072, 50074, 50076, 50078, 50079, 50125, 50127, 50140, 50158, 50199,
			70043, 70016, 70018, 70019, 70020}},
		{
			code: problems.CodeInteractionRequired, scope: scopeUnclear,
			numbers: []int{50055, 50126, 50132, 50133, 50144, 50173, 54005, 70000, 70008, 700081, 700082, 700084},
		},
		{code: problems.CodeForeignPrincipal, scope: scopeTenant, numbers: []int{50020, 50034, 51004, 50177, 50178, 90072}},
		{code: problems.CodeSignInBlocked, scope: scopeTenant, retry: false, numbers: []int{53003, 53002, 53009, 530031, 530032, 530033, 530034, 530035, 50005, 50097, 50129, 50131,
			50155, 53000, 53001, 53010, 53011, 53004, 53008, 135011, 50002, 500021, 5000211, 500212, 500213, 500014, 50014, 50015, 50105, 50107,
			650052, 700003, 700229, 50194}},
		{code: problems.CodeSignInBlocked, scope: scopeUnclear, numbers: []int{50053, 50057, 50135, 65005, 650056, 7000113}},
		{code: problems.CodeSignInUnavailable, scope: scopeTenant, numbers: []int{500011, 50001, 650057}},
		{
			code: problems.CodeSignInUnavailable, scope: scopeUnclear,
			numbers: []int{50011, 70003, 70011, 900144, 90013, 90014, 90023, 900561, 501481, 9010010, 90056},
		},
		{
			code: problems.CodeSignInUnavailable, scope: scopeUnclear, retry: true,
			numbers: []int{50033, 50196, 70012, 90006, 90012, 90024, 90033, 90036, 90055},
		},
	}
}

func TestEntraCodesMapToProblems(t *testing.T) {
	t.Parallel()
	decided := map[int]bool{}
	for _, group := range decidedCodes() {
		for _, number := range group.numbers {
			t.Run(strconv.Itoa(number), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, 1)
				r.entra.set(func(string, url.Values) answer { return refuse(400, "invalid_request", "", number) })
				_, err := r.get(context.Background(), 0, "")
				problem := roomtest.WantCode(t, err, group.code)
				if problem.Retryable != group.retry || problem.ForeignCode != "AADSTS"+strconv.Itoa(number) || problem.Hint == "" || problem.Foreign != "" {
					t.Errorf("%+v", *problem)
				}
				if got := scopeOf(problem); got != group.scope {
					t.Errorf("scope %d, want %d", got, group.scope)
				}
			})
			if decided[number] {
				t.Errorf("%d is decided twice", number)
			}
			decided[number] = true
		}
	}
	seen := map[int]bool{}
	for number := range eachCode() {
		if !decided[number] || seen[number] {
			t.Errorf("%d is not decided here, or stands twice in the table", number)
		}
		seen[number] = true
	}
	if len(seen) != len(decided) {
		t.Errorf("%d numbers in the table, %d decided", len(seen), len(decided))
	}
}

// What one tenant says holds in another only if it cannot be the tenant's own.
func TestRefusalOfOneTenantHoldsInOthersOnlyForTheCredential(t *testing.T) {
	t.Parallel()
	for number, known := range eachCode() {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			r.entra.set(func(tenant string, _ url.Values) answer {
				if tenant == roomtest.TenantID(0) {
					return refuse(400, "invalid_request", "", number)
				}
				return r.entra.token(tenant, time.Hour, 0)
			})
			if _, err := r.get(context.Background(), 0, ""); err == nil {
				t.Fatal("the refusal is none")
			}
			_, err := r.get(context.Background(), 1, "")
			if refused := err != nil; refused != (known.scope == scopeCredential) {
				t.Errorf("the other tenant: %v", err)
			}
		})
	}
}

func TestUnclearRefusalHoldsEverywhereOnceTwoTenantsGaveIt(t *testing.T) {
	t.Parallel()
	const disabled = 7000112
	for name, test := range map[string]struct {
		disabled []int // tenants, by number
		order    []int // in which order they are asked
		asked    int   // requests at the end
		blocked  bool  // whether tenant 9 is refused without a request
	}{
		"one tenant, twice":               {disabled: []int{0}, order: []int{0, 0}, asked: 2},
		"two tenants":                     {disabled: []int{0, 1}, order: []int{0, 1}, asked: 2, blocked: true},
		"two tenants, one accepts before": {disabled: []int{0, 1}, order: []int{2, 0, 1}, asked: 4},
		"two tenants, one accepts between": {
			disabled: []int{0, 1}, order: []int{0, 2, 1}, asked: 4, blocked: false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 10)
			r.entra.set(func(tenant string, _ url.Values) answer {
				if slices.ContainsFunc(test.disabled, func(n int) bool { return roomtest.TenantID(n) == tenant }) {
					return refuse(400, "unauthorized_client", "", disabled)
				}
				return r.entra.token(tenant, time.Hour, 0)
			})
			for _, n := range test.order {
				_, err := r.get(context.Background(), n, "")
				if refused := err != nil; refused != slices.Contains(test.disabled, n) {
					t.Fatalf("tenant %d: %v", n, err)
				}
			}
			_, err := r.get(context.Background(), 9, "")
			if (err != nil) != test.blocked {
				t.Errorf("another tenant: %v", err)
			}
			if problem := problems.As(err); test.blocked && !strings.Contains(problem.Message, "in this tenant (Enterprise applications), or in its home tenant") {
				t.Errorf("message %q", problem.Message)
			}
			if got := r.entra.requests(); got != test.asked {
				t.Errorf("%d requests, want %d", got, test.asked)
			}
		})
	}
}

func TestTenantOfAnotherCloudNamesTheCommand(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string]string{
		tenants.CloudPublic:       "mcp-partner tenants set contoso --cloud usgovernment",
		tenants.CloudUSGovernment: "mcp-partner tenants set contoso --cloud china",
		tenants.CloudChina:        "mcp-partner tenants set contoso --cloud usgovernment",
	} {
		named, err := tenants.CloudNamed(cloud)
		if err != nil {
			t.Fatal(err)
		}
		where := target{tenant: "contoso", cloud: named}
		problem := where.entraProblem(entraError{Error: "invalid_request", Codes: []int{1, 900382}}, 400, nil)
		if problem.Retryable || problem.Command != want || !strings.Contains(problem.Message, "another cloud") {
			t.Errorf("%s: %+v", cloud, *problem)
		}
	}
}

// Conditional access, disabled service principals and the like are not mended by
// a person who signs in.
func TestErrorsForAdministratorsDoNotAskForSignIn(t *testing.T) {
	t.Parallel()
	for number, known := range eachCode() {
		if known.finding != findingBlocked {
			continue
		}
		for _, kind := range []tenants.Kind{tenants.KindClientSecret, tenants.KindDeviceCode} {
			where := target{tenant: "contoso", credential: tenants.CredentialConfig{Name: "app", Kind: kind}}
			problem := where.entraProblem(entraError{Error: "interaction_required", Codes: []int{number}}, 400, nil)
			text := problem.Message + " " + problem.Hint
			if problem.Code != problems.CodeSignInBlocked || !strings.Contains(text, "dministrator") || strings.Contains(text, "vault login") || strings.Contains(text, "person signs in") {
				t.Errorf("%d: %+v", number, *problem)
			}
		}
	}
}

func TestEntraErrorsWithoutKnownNumber(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  entraError
		code problems.Code
	}{
		"consent":      {entraError{Error: "invalid_grant", SubError: "consent_required"}, problems.CodeConsentMissing},
		"policy":       {entraError{Error: "interaction_required", SubError: "message_only"}, problems.CodeSignInBlocked},
		"access":       {entraError{Error: "access_denied"}, problems.CodeSignInBlocked},
		"grant":        {entraError{Error: "invalid_grant", Codes: []int{1}}, problems.CodeInteractionRequired},
		"client":       {entraError{Error: "invalid_client", Codes: []int{1}}, problems.CodeCredentialRejected},
		"unauthorized": {entraError{Error: "unauthorized_client"}, problems.CodeConsentMissing},
		"new":          {entraError{Error: "new_error", Codes: []int{1}}, problems.CodeSignInUnavailable},
	} {
		if got := (target{}).entraProblem(test.err, 400, nil); got.Code != test.code {
			t.Errorf("%s: %s, want %s", name, got.Code, test.code)
		}
	}
}

// Another secret, another case: what was refused says nothing of it.
func TestRefusalIsCachedPerSecret(t *testing.T) {
	t.Parallel()
	cache := &negativeCache{now: time.Now, all: map[credentialKey]*history{}}
	old, fresh := roomtest.MustSecret(t, "old"), roomtest.MustSecret(t, "fresh")
	where := target{tenantID: "a", credential: tenants.CredentialConfig{Name: "app"}}
	problem := where.findingProblem(entraCodes{finding: findingSecretRejected})
	problem.ForeignCode = "AADSTS7000215"
	cache.keep(where, old, problem)
	if cache.find(where, old) == nil || cache.find(where, fresh) != nil {
		t.Error("the refusal is of another secret, or of none")
	}
	var none vault.Secret
	if cache.find(where, none) != nil {
		t.Error("the refusal holds without a secret")
	}
}

// eachCode gives every number with what it means, twice where it stands twice.
func eachCode() iter.Seq2[int, entraCodes] {
	return func(yield func(int, entraCodes) bool) {
		for _, group := range knownCodes {
			for _, number := range group.numbers {
				if !yield(number, group) {
					return
				}
			}
		}
	}
}
