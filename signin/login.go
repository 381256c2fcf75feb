package signin

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// loginLimit bounds a person's sign-in; Entra ID's codes live for as long.
const loginLimit = 15 * time.Minute

// DevicePrompt is what a person is shown to sign in by a code. Both texts are
// Entra ID's, cleaned.
type DevicePrompt struct {
	URL, Code string
	// Expires is when the code ends.
	Expires time.Time
}

// LoginUI is how a person is reached.
type LoginUI struct {
	// Device shows a code (device-code).
	Device func(DevicePrompt) error
	// Open opens a URL in the browser (browser).
	Open func(url string) error
}

// SignedIn says who signed in.
type SignedIn struct {
	// Account is the user's name as Entra ID gives it, cleaned.
	Account            string
	TenantID, ObjectID string
}

// Login signs a person in for a credential, at the tenant of an entry, and puts
// what lasts of it into the vault. It is for a terminal: a server never calls
// it. The rules of a sign-in hold: requests go to the entry's authority alone.
//
// Problems: those of Credential; CodeInvalidArgument for a kind that no person
// signs in with; CodeWrongIdentity for another person than the pinned one, and
// CodeWrongTenant for one of another tenant, who is not stored either;
// CodeInteractionRequired if the person declines or does not come in time.
func (s *Source) Login(ctx context.Context, tenant, credential string, ui LoginUI) (SignedIn, error) {
	t, err := s.target(tenant, credential)
	if err != nil {
		return SignedIn{}, err
	}
	if !t.credential.Kind.Interactive() {
		return SignedIn{}, problems.InvalidArgument("The credential %s is of the kind %s, which needs no sign-in by a person.", t.credential.Name, t.credential.Kind)
	}
	// MSAL makes the code's URL by replacing this word wherever it stands.
	if t.credential.Kind == tenants.KindDeviceCode && strings.Contains(strings.ToLower(t.cloud.Authority), "token") {
		return SignedIn{}, problems.InvalidArgument("The authority of tenant %s has the word token in its name, which device codes do not support: use the kind browser.", t.tenant)
	}
	if err := s.replaceable(ctx, t); err != nil {
		return SignedIn{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	kept := &signInCache{}
	result, problem := s.interact(ctx, t, kept, ui)
	if problem != nil {
		return SignedIn{}, problem
	}
	return s.keepSignIn(ctx, t, result, kept)
}

// replaceable refuses a sign-in where the vault holds somebody's secret under
// the name. The sign-in of another version of this program may be replaced.
func (s *Source) replaceable(ctx context.Context, t target) error {
	stored, err := s.opts.Store.Get(ctx, t.credential.SecretName)
	switch {
	case err != nil && problems.As(err).Code == problems.CodeVaultMissing:
		return nil
	case err != nil:
		return err
	case !bytes.HasPrefix(sealed.Bytes(stored.Secret), []byte("{")):
		return problems.InvalidArgument("The vault holds a secret under the name %s, which a sign-in would replace: give the person a credential of another name.", t.credential.SecretName)
	}
	return nil
}

func (s *Source) interact(ctx context.Context, t target, kept *signInCache, ui LoginUI) (public.AuthResult, *problems.Problem) {
	client, err := s.opts.HTTP.Client([]byte(t.cloud.CAPEM))
	if err != nil {
		return public.AuthResult{}, problems.InvalidArgument("The CA certificates of tenant %s cannot be read.", t.tenant)
	}
	x := newExchange(client, t)
	x.also = func(r *http.Request) bool {
		return r.Method == http.MethodPost && r.URL.String() == x.base+deviceCodePath
	}
	msal, err := t.publicClient(x, kept)
	if err != nil {
		return public.AuthResult{}, problems.New(problems.CodeInternal, "The sign-in to tenant "+t.tenant+" cannot be prepared.")
	}
	var result public.AuthResult
	if t.credential.Kind == tenants.KindDeviceCode {
		result, err = byDeviceCode(ctx, msal, t, ui)
	} else {
		result, err = msal.AcquireTokenInteractive(ctx, []string{t.cloud.Scope()}, public.WithOpenURL(ui.Open))
	}
	if err != nil {
		return public.AuthResult{}, x.loginProblem(ctx, t, err)
	}
	return result, nil
}

func byDeviceCode(ctx context.Context, client public.Client, t target, ui LoginUI) (public.AuthResult, error) {
	code, err := client.AcquireTokenByDeviceCode(ctx, []string{t.cloud.Scope()})
	if err != nil {
		return public.AuthResult{}, err
	}
	prompt := DevicePrompt{untrusted.Sanitize(code.Result.VerificationURL), untrusted.Sanitize(code.Result.UserCode), code.Result.ExpiresOn}
	if err := ui.Device(prompt); err != nil {
		return public.AuthResult{}, err
	}
	return code.AuthenticationResult(ctx)
}

// loginProblem says why a person is not signed in. Of MSAL's error nothing is
// kept: it holds the request.
func (x *exchange) loginProblem(ctx context.Context, t target, err error) *problems.Problem {
	var own *problems.Problem
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(ctx.Err(), context.Canceled):
		return problems.New(problems.CodeCancelled, "The sign-in was canceled.")
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return t.notSignedIn(true)
	}
	x.mu.Lock()
	answered := x.tries > 0 && (x.failure != nil || x.status != http.StatusOK)
	x.mu.Unlock()
	if answered {
		return x.problem(t)
	}
	// The browser came back with an error, or could not be opened.
	return t.notSignedIn(false)
}

func (t target) notSignedIn(late bool) *problems.Problem {
	why := "The sign-in was declined or not completed"
	if late {
		why = "Nobody signed in in time"
	}
	return problems.New(problems.CodeInteractionRequired, why+"; what was stored for credential "+t.credential.Name+" is unchanged.", t.loginHint())
}

// keepSignIn checks who signed in before anything is stored.
func (s *Source) keepSignIn(ctx context.Context, t target, result public.AuthResult, kept *signInCache) (SignedIn, error) {
	who := SignedIn{untrusted.Sanitize(result.IDToken.PreferredUsername), naming.Fold(result.IDToken.TenantID), naming.Fold(result.IDToken.Oid)}
	if err := s.checkPerson(t, who); err != nil {
		return SignedIn{}, err
	}
	secret, err := signInRecord{Version: signInVersion, RenewedAt: s.opts.Clock().UTC(), Cache: kept.fresh}.encode()
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.opts.Store.Put(ctx, t.credential.SecretName, secret); err != nil {
		return SignedIn{}, err
	}
	return who, nil
}

func (s *Source) checkPerson(t target, who SignedIn) error {
	if who.TenantID != "" && who.TenantID != t.tenantID {
		return problems.New(problems.CodeWrongTenant, "The sign-in is one of tenant "+untrusted.Sanitize(who.TenantID)+", and "+t.tenant+" is "+t.tenantID+"; nothing was stored.")
	}
	entry, err := s.opts.Directory.Get(t.tenant)
	if err != nil {
		return err
	}
	ref, err := entry.Credential(t.credential.Name)
	if err != nil {
		return err
	}
	if ref.PinnedObjectID != "" && who.ObjectID != ref.PinnedObjectID {
		return problems.New(problems.CodeWrongIdentity,
			"A different identity signed in than the one pinned for "+t.credential.Name+" in "+t.tenant+"; nothing was stored.",
			problems.WithCommand("If the identity was changed on purpose, unpin the old one.", "mcp-partner tenants set %s --object-id ''", t.tenant))
	}
	return nil
}
