package armclient

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

func version(n int64) *int64 { return &n }

func absent() answers.Link { return answers.Link{State: answers.LinkNotLinked} }

func tombstone(n int64) answers.Link {
	return answers.Link{State: answers.LinkDeleted, PartnerID: partner2, Version: version(n)}
}

func linkedTo(id partnerid.ID, n int64) answers.Link {
	return answers.Link{State: answers.LinkLinked, PartnerID: id, Version: version(n)}
}

func deleted(id string, n int64) reply { return ok(linkBody(id, n, "Deleted")) }

// coded is an error of the provider.
func coded(httpStatus int, code string) reply {
	return reply{status: httpStatus, body: `{"error":{"code":"` + code + `","message":"said"}}`}
}

func html(httpStatus int) reply {
	return reply{status: httpStatus, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}
}

// Each case is a state before, the answer to the write, and what is read back.
// Reads that fail are repeated, so the last answer stands for all later ones.
func TestApplyDecidesOutcomeFromAnswerAndReadBack(t *testing.T) {
	t.Parallel()
	create := func(before answers.Link) Change { return Change{http.MethodPut, partner1, before} }
	update := func(before answers.Link) Change { return Change{http.MethodPatch, partner1, before} }
	remove := func(before answers.Link) Change { return Change{http.MethodDelete, partner1, before} }
	empty := reply{status: 200}
	noVersion := linkedTo(partner2, 1)
	sameUnseen := linkedTo(partner1, 1)
	noVersion.Version, sameUnseen.Version = nil, nil
	for name, test := range map[string]struct {
		change  Change
		replies []reply
		applied Applied
		code    problems.Code
		after   answers.LinkState
	}{
		// clean
		"create":                         {create(absent()), []reply{active(partner1, 1), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create over a tombstone":        {create(tombstone(4)), []reply{active(partner1, 5), active(partner1, 5)}, AppliedYes, "", answers.LinkLinked},
		"create over a hidden tombstone": {create(absent()), []reply{active(partner1, 5), active(partner1, 5)}, AppliedYes, "", answers.LinkLinked},
		"update":                         {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), active(partner1, 4)}, AppliedYes, "", answers.LinkLinked},
		"update, version unseen":         {update(noVersion), []reply{active(partner1, 4), active(partner1, 4)}, AppliedYes, "", answers.LinkLinked},
		"delete, 404 after":              {remove(linkedTo(partner1, 3)), []reply{empty, notFound()}, AppliedYes, "", answers.LinkNotLinked},
		"delete, tombstone after":        {remove(linkedTo(partner1, 3)), []reply{empty, deleted(partner1, 4)}, AppliedYes, "", answers.LinkDeleted},
		// lost or unclear answers to a write that happened
		"create, hung up":            {create(absent()), []reply{broken(), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, reset":              {create(absent()), []reply{{err: &net.OpError{Op: "read", Err: io.EOF}}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, body cut":           {create(absent()), []reply{{status: 200, body: "{", cut: true}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, time-out":           {create(absent()), []reply{{hang: true}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 500":                {create(absent()), []reply{coded(500, "X"), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 502 html":           {create(absent()), []reply{html(502), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 408":                {create(absent()), []reply{{status: 408}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 429":                {create(absent()), []reply{coded(429, "X"), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 201":                {create(absent()), []reply{{status: 201}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 200 html":           {create(absent()), []reply{html(200), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, 307":                {create(absent()), []reply{{status: 307}, active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"create, gateway's 404":      {create(absent()), []reply{html(404), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"update, hung up":            {update(linkedTo(partner2, 3)), []reply{broken(), active(partner1, 4)}, AppliedYes, "", answers.LinkLinked},
		"delete, hung up":            {remove(linkedTo(partner1, 3)), []reply{broken(), notFound()}, AppliedYes, "", answers.LinkNotLinked},
		"delete, 500, tombstone":     {remove(linkedTo(partner1, 3)), []reply{coded(500, "X"), deleted(partner1, 4)}, AppliedYes, "", answers.LinkDeleted},
		"create, hung up, late":      {create(absent()), []reply{broken(), notFound(), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		"update, 504, late":          {update(linkedTo(partner2, 3)), []reply{coded(504, "X"), active(partner2, 3), active(partner1, 4)}, AppliedYes, "", answers.LinkLinked},
		"create, hung up, slow read": {create(absent()), []reply{broken(), broken(), status(500), active(partner1, 1)}, AppliedYes, "", answers.LinkLinked},
		// writes that did not happen
		"create, conflict, as before":     {create(tombstone(4)), []reply{coded(409, "Conflict"), deleted(partner2, 4)}, AppliedNo, problems.CodeConflict, answers.LinkDeleted},
		"create, bad request":             {create(absent()), []reply{coded(400, "BadRequest"), notFound()}, AppliedNo, problems.CodeBadRequest, answers.LinkNotLinked},
		"create, forbidden":               {create(absent()), []reply{coded(403, "X"), notFound()}, AppliedNo, problems.CodeForbidden, answers.LinkNotLinked},
		"create, forbidden, unread":       {create(absent()), []reply{coded(403, "X"), coded(403, "X")}, AppliedNo, problems.CodeForbidden, answers.LinkUnknown},
		"create, unauthorized":            {create(absent()), []reply{coded(401, "X"), notFound()}, AppliedNo, problems.CodeUnauthorized, answers.LinkNotLinked},
		"update, not found":               {update(linkedTo(partner2, 3)), []reply{notFound(), active(partner2, 3)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		"delete, not found":               {remove(linkedTo(partner1, 3)), []reply{notFound(), active(partner1, 3)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		"update, not found, unread":       {update(linkedTo(partner2, 3)), []reply{notFound(), status(500)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkUnknown},
		"create, odd 404, as before":      {create(absent()), []reply{coded(404, "Odd"), notFound()}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkNotLinked},
		"create, no type, as before":      {create(absent()), []reply{coded(404, "InvalidResourceType"), notFound()}, AppliedNo, problems.CodeProviderUnavailable, answers.LinkNotLinked},
		"create, hung up, as before":      {create(absent()), []reply{broken(), notFound()}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkNotLinked},
		"create, 500, as before":          {create(absent()), []reply{coded(500, "X"), notFound()}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkNotLinked},
		"create, throttled, as before":    {create(absent()), []reply{coded(429, "X"), notFound()}, AppliedNo, problems.CodeThrottled, answers.LinkNotLinked},
		"update, hung up, as before":      {update(linkedTo(partner2, 3)), []reply{broken(), active(partner2, 3)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		"update to the same, not written": {update(linkedTo(partner1, 3)), []reply{broken(), active(partner1, 3)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		"update to the same, written":     {update(linkedTo(partner1, 3)), []reply{broken(), active(partner1, 4)}, AppliedYes, "", answers.LinkLinked},
		"delete, html 404, as before":     {remove(linkedTo(partner1, 3)), []reply{html(404), active(partner1, 3)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		"update to the same, unseen":      {update(sameUnseen), []reply{broken(), active(partner1, 4)}, AppliedNo, problems.CodeWriteNotApplied, answers.LinkLinked},
		// somebody else
		"create, conflict, other link":     {create(absent()), []reply{coded(409, "Conflict"), active(partner2, 1)}, AppliedNo, problems.CodeConcurrentChange, answers.LinkLinked},
		"create, conflict, same link":      {create(absent()), []reply{coded(409, "Conflict"), active(partner1, 1)}, AppliedNo, problems.CodeConcurrentChange, answers.LinkLinked},
		"update, other writer before":      {update(linkedTo(partner2, 3)), []reply{active(partner1, 5), active(partner1, 5)}, AppliedYes, problems.CodeConcurrentChange, answers.LinkLinked},
		"update, other writer after":       {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), active("9999", 5)}, AppliedYes, problems.CodeConcurrentChange, answers.LinkLinked},
		"update, only another writer":      {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), active("9999", 4)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"update accepted, nothing changed": {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), active(partner2, 3)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"update lost, two writes":          {update(linkedTo(partner2, 3)), []reply{broken(), active(partner1, 5)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"update lost, back again":          {update(linkedTo(partner2, 3)), []reply{broken(), active(partner2, 5)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"update, version went back":        {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), active(partner1, 2)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"update, link gone":                {update(linkedTo(partner2, 3)), []reply{active(partner1, 4), notFound()}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkNotLinked},
		"create accepted, nothing there":   {create(absent()), []reply{active(partner1, 1), notFound()}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkNotLinked},
		"create accepted, removed after":   {create(tombstone(4)), []reply{active(partner1, 5), deleted(partner1, 6)}, AppliedYes, problems.CodeConcurrentChange, answers.LinkDeleted},
		"delete accepted, still there":     {remove(linkedTo(partner1, 3)), []reply{empty, active(partner1, 3)}, AppliedUnknown, problems.CodeConcurrentChange, answers.LinkLinked},
		"delete accepted, linked anew":     {remove(linkedTo(partner1, 3)), []reply{empty, active(partner2, 5)}, AppliedYes, problems.CodeConcurrentChange, answers.LinkLinked},
		"delete not found, gone":           {remove(linkedTo(partner1, 3)), []reply{notFound(), notFound()}, AppliedNo, problems.CodeConcurrentChange, answers.LinkNotLinked},
		// nothing to be read
		"create accepted, unread":     {create(absent()), []reply{active(partner1, 1), status(500)}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"create lost, unread":         {create(absent()), []reply{broken()}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"delete accepted, empty 404":  {remove(linkedTo(partner1, 3)), []reply{empty, {status: 404}}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"delete lost, html 404":       {remove(linkedTo(partner1, 3)), []reply{broken(), html(404)}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"create, 408, unread":         {create(absent()), []reply{coded(408, "X"), status(500)}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"delete, gateway 403, unread": {remove(linkedTo(partner1, 3)), []reply{html(403), html(403)}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
		"create, 504, then unread":    {create(absent()), []reply{coded(504, "X"), notFound(), status(500)}, AppliedUnknown, problems.CodeWriteUnconfirmed, answers.LinkUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := replying(test.replies...)
				once := permit(t, test.change)
				got := patientClient(t, w).Apply(t.Context(), once, test.change)
				if got.Applied != test.applied || codeOfProblem(got.Problem) != test.code || got.After.Link.State != test.after {
					t.Errorf("%s, %+v, after %+v; want %s, %q, %s", got.Applied, got.Problem, got.After.Link, test.applied, test.code, test.after)
				}
				checkSent(t, got)
				if w.writes() != 1 || !once.Spent() || w.all()[0].method == http.MethodGet {
					t.Errorf("sent %v", w.all())
				}
			})
		})
	}
}

// checkSent: refused is the word for what was never sent, and a link that was
// read back is known.
func checkSent(t *testing.T, got Outcome) {
	t.Helper()
	p := got.Problem
	if p == nil {
		return
	}
	if p.Refusal() {
		t.Errorf("a write that was sent ends as a refusal: %+v", p)
	}
	known := got.After.Link.State != answers.LinkUnknown
	if known && p.Code != problems.CodeThrottled && strings.Contains(p.Hint+p.Message, "The state of the link is unknown") || p.Hint == "" {
		t.Errorf("%s, and the link is %s", p.Hint, got.After.Link.State)
	}
}

// The problem names the provider's own code as well.
func TestTurnedDownWriteKeepsTheProvidersCode(t *testing.T) {
	t.Parallel()
	change := Change{http.MethodPatch, partner1, linkedTo(partner2, 3)}
	p := testClient(t, replying(notFound(), active(partner2, 3))).Apply(t.Context(), permit(t, change), change).Problem
	if p.Code != problems.CodeWriteNotApplied || p.ForeignCode != "NotFound" || !strings.Contains(p.Message, "404") || p.ARMRequestID != testRequestID {
		t.Errorf("%+v", p)
	}
}

// A write that a challenge sent back was sent, even if the gate then stops it.
func TestGateStopsChallengedWrite(t *testing.T) {
	t.Parallel()
	change := Change{http.MethodPut, partner1, absent()}
	for name, test := range map[string]struct {
		token string
		want  problems.Code
	}{
		"identity": {tokenFor(tenantID, otherID), problems.CodeWriteNotApplied},
		"tenant":   {tokenFor(otherID, objectID), problems.CodeWrongTenant},
		"opaque":   {"opaque", problems.CodeTokenUnreadable},
	} {
		w := replying(status(401).with("WWW-Authenticate", challenge), active(partner1, 1))
		got := newClient(t, withToken(goodToken(), test.token), testOptions(w)).Apply(t.Context(), permit(t, change), change)
		if got.Applied != AppliedNo || codeOfProblem(got.Problem) != test.want || got.Problem.Refusal() || w.writes() != 1 {
			t.Errorf("%s: %+v, %+v", name, got, got.Problem)
		}
		if strings.Contains(got.Problem.Message, "nothing was sent") || strings.Contains(got.Problem.Message, "before it was sent:") {
			t.Errorf("%s: %s", name, got.Problem.Message)
		}
	}
}

// What is stopped before it is sent needs no reading back, and is not applied.
func TestStoppedApplyIsNotSent(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	change := Change{http.MethodPut, partner1, absent()}
	for name, test := range map[string]struct {
		ctx    context.Context
		cred   *credential
		permit guard.Permit
		change Change
		want   problems.Code
	}{
		"no permit":         {t.Context(), withToken(goodToken()), guard.Permit{}, change, problems.CodePermitRefused},
		"permit of another": {t.Context(), withToken(goodToken()), permitFor(t, schemas.ToolRegisterPartner, tenantID, objectID, partner2), change, problems.CodePermitRefused},
		"wrong tenant":      {t.Context(), withToken(tokenFor(otherID, objectID)), permit(t, change), change, problems.CodeWrongTenant},
		"opaque token":      {t.Context(), withToken("opaque"), permit(t, change), change, problems.CodeTokenUnreadable},
		"no token":          {t.Context(), &credential{err: problems.New(problems.CodeVaultLocked, "x")}, permit(t, change), change, problems.CodeVaultLocked},
		"caller gone":       {gone, withToken(goodToken()), permit(t, change), change, problems.CodeCancelled},
		"bad partner ID":    {t.Context(), withToken(goodToken()), permit(t, change), Change{http.MethodPut, "12", absent()}, problems.CodeInvalidPartnerID},
		"unknown before":    {t.Context(), withToken(goodToken()), permit(t, change), Change{http.MethodPut, partner1, answers.Link{State: answers.LinkUnknown}}, problems.CodeInternal},
		"empty before":      {t.Context(), withToken(goodToken()), permit(t, change), Change{Method: http.MethodPut, PartnerID: partner1}, problems.CodeInternal},
		"unknown kind":      {t.Context(), withToken(goodToken()), permit(t, change), Change{"merge", partner1, absent()}, problems.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(active(partner1, 1))
			got := newClient(t, test.cred, testOptions(w)).Apply(test.ctx, test.permit, test.change)
			if got.Applied != AppliedNo || codeOfProblem(got.Problem) != test.want || len(w.all()) != 0 || test.permit.Spent() {
				t.Errorf("%+v, sent %v", got, w.all())
			}
			if got.After.Link.State != answers.LinkUnknown || got.After.Link.Reason != test.want {
				t.Errorf("after %+v", got.After.Link)
			}
		})
	}
}

// A claims challenge says that the write was not carried out. If it cannot be
// met, there is nothing to read back.
func TestApplyStopsAtUnmetChallenge(t *testing.T) {
	t.Parallel()
	challenged := status(401).with("WWW-Authenticate", challenge)
	change := Change{http.MethodPut, partner1, absent()}
	for want, cred := range map[problems.Code]azcore.TokenCredential{
		problems.CodeInteractionRequired: &expiring{first: goodToken(), then: problems.New(problems.CodeInteractionRequired, "x")},
		problems.CodeWrongTenant:         withToken(goodToken(), tokenFor(otherID, objectID)),
		problems.CodeUnauthorized:        withToken(goodToken()),
	} {
		w := replying(challenged)
		got := newClient(t, cred, testOptions(w)).Apply(t.Context(), permit(t, change), change)
		if got.Applied != AppliedNo || codeOfProblem(got.Problem) != want || len(w.all()) != w.writes() {
			t.Errorf("%s: %+v, %+v, sent %v", want, got, got.Problem, w.all())
		}
	}
}

// From the permit to the outcome nobody can cancel a write, or it would be left
// half known.
func TestApplyContinuesWhenCallerCancels(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	leave := active(partner1, 1)
	leave.before = func(r *http.Request) {
		cancel()
		if r.Context().Err() != nil {
			t.Error("the write was cancelled")
		}
	}
	change := Change{http.MethodPut, partner1, absent()}
	w := replying(leave, active(partner1, 1))
	got := testClient(t, w).Apply(ctx, permit(t, change), change)
	if got.Applied != AppliedYes || got.Problem != nil || len(w.all()) != 2 {
		t.Errorf("%+v, sent %v", got, w.all())
	}
}

func TestApplyLeavesTimeToReadBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		change := Change{http.MethodPut, partner1, absent()}
		begin := time.Now()
		got := patientClient(t, replying(reply{hang: true}, active(partner1, 1))).Apply(ctx, permit(t, change), change)
		if took := time.Since(begin); got.Applied != AppliedYes || took != 20*time.Second {
			t.Errorf("%+v after %v", got, took)
		}
		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		start := time.Now()
		patientClient(t, replying(reply{hang: true}, active(partner1, 1))).Apply(short, permit(t, change), change)
		if took := time.Since(start); took != leastWriteTime {
			t.Errorf("a write under a short deadline took %v", took)
		}
	})
}

func TestApplyCarriesTheIDsOfTheWrite(t *testing.T) {
	t.Parallel()
	change := Change{http.MethodPatch, partner1, linkedTo(partner2, 3)}
	write := coded(500, "InternalServerError").with("x-ms-request-id", "write-id")
	write.header["x-ms-correlation-request-id"] = "correlation\x1b[31m"
	got := testClient(t, replying(write, active(partner2, 3))).Apply(t.Context(), permit(t, change), change)
	p := got.Problem
	if p == nil || p.ARMRequestID != "write-id" || got.RequestID != "write-id" || p.ForeignCode != "InternalServerError" || p.Foreign != "said" {
		t.Fatalf("%+v, %+v", got, p)
	}
	if strings.ContainsRune(p.CorrelationID+got.CorrelationID, '\x1b') || got.After.RequestID != testRequestID {
		t.Errorf("%+v", got)
	}
	if strings.Contains(p.Message+p.Hint, "said") {
		t.Errorf("untrusted text in our own words: %+v", p)
	}
}

// The proof that the bubble's clock, not luck, drives the second look.
func TestApplyReadsBackOnceMoreAfterLostAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write reply
		reads int
		took  time.Duration
	}{
		"lost":     {broken(), 2, settleDefault},
		"gateway":  {html(504), 2, settleDefault},
		"error":    {coded(500, "X"), 1, 0},
		"conflict": {coded(409, "Conflict"), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := replying(test.write, notFound())
				change := Change{http.MethodPut, partner1, absent()}
				start := time.Now()
				patientClient(t, w).Apply(t.Context(), permit(t, change), change)
				if took := time.Since(start); took != test.took || len(w.all()) != 1+test.reads {
					t.Errorf("%v, sent %v", took, w.all())
				}
			})
		})
	}
}
