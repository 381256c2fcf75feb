package armclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/schemas"
)

// bubble runs a test in its own time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func patientClient(t *testing.T, w *wire) *Client {
	o := testOptions(w)
	o.RetryDelay = 0
	return newClient(t, withToken(goodToken()), o)
}

func TestReadsAreRepeatedAtMostTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := answers(broken(), status(503), notFound())
		if read := patientClient(t, w).Link(t.Context()); read.Link.State != schemas.LinkNotLinked || len(w.all()) != 3 {
			t.Errorf("%+v after %d", read, len(w.all()))
		}
		w = answers(broken())
		if read := patientClient(t, w).Link(t.Context()); codeOfProblem(read.Problem) != schemas.CodeNetwork || len(w.all()) != 3 {
			t.Errorf("%+v after %d", read, len(w.all()))
		}
	})
}

func TestRetryAfterIsHonouredAndSpread(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func() (string, string){
		"seconds":      func() (string, string) { return "Retry-After", "4" },
		"milliseconds": func() (string, string) { return "x-ms-retry-after-ms", "4000" },
		"date": func() (string, string) {
			return "Retry-After", time.Now().Add(4 * time.Second).UTC().Format(http.TimeFormat)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := answers(status(429).with(header()), notFound())
				start := time.Now()
				read := patientClient(t, w).Link(t.Context())
				if took := time.Since(start); read.Link.State != schemas.LinkNotLinked || took < 4*time.Second || took > 4*time.Second+waitSpread {
					t.Errorf("%+v after %v", read.Link, took)
				}
			})
		})
	}
}

func TestLongRetryAfterComesBackAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for value, want := range map[string]int{"11": 11, "120": 120, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): 60} {
			w := answers(status(429).with("Retry-After", value))
			start := time.Now()
			p := patientClient(t, w).Link(t.Context()).Problem
			if codeOfProblem(p) != schemas.CodeThrottled || p.RetryAfterSeconds != want || !p.Retryable || time.Since(start) != 0 || len(w.all()) != 1 {
				t.Errorf("%s: %+v after %v and %d tries", value, p, time.Since(start), len(w.all()))
			}
		}
	})
}

// A wait that does not fit into the caller's time would only turn an answer
// into a time-out.
// What the gate or the credential refuses would be refused again.
func TestRefusalsAreNotRepeated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for want, cred := range map[schemas.Code]*credential{
			schemas.CodeWrongTenant: withToken(tokenFor(otherID, objectID)),
			schemas.CodeVaultLocked: {err: schemas.NewProblem(schemas.CodeVaultLocked, "x")},
		} {
			o := testOptions(answers(notFound()))
			o.RetryDelay = 0
			start := time.Now()
			read := newClient(t, cred, o).Link(t.Context())
			if read.Link.Reason != want || time.Since(start) != 0 || len(cred.asked) != 1 {
				t.Errorf("%+v after %v, asked %d times", read.Problem, time.Since(start), len(cred.asked))
			}
		}
	})
}

func TestRetryAfterBeyondTheDeadlineComesBackAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		p := patientClient(t, answers(status(429).with("Retry-After", "8"))).Link(ctx).Problem
		if codeOfProblem(p) != schemas.CodeThrottled || p.RetryAfterSeconds != 8 || ctx.Err() != nil {
			t.Errorf("%+v, %v", p, ctx.Err())
		}
	})
}

func TestEverythingHasADeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		read := patientClient(t, answers(reply{hang: true})).Link(context.Background())
		if codeOfProblem(read.Problem) != schemas.CodeTimeout || time.Since(start) != readTime {
			t.Errorf("read: %+v after %v", read.Problem, time.Since(start))
		}
		start = time.Now()
		change := Change{Method: http.MethodPut, PartnerID: partner1, Before: schemas.Link{State: schemas.LinkNotLinked}}
		outcome := patientClient(t, answers(reply{hang: true})).Apply(context.Background(), permit(t, change), change)
		if outcome.Applied != AppliedUnknown || time.Since(start) != writeTime+readBackTime {
			t.Errorf("write: %+v after %v", outcome, time.Since(start))
		}
	})
}

type timeoutError struct{ error }

func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// A failure of the transport is told by its kind; its text, which may quote
// anything, is not.
func TestTransportFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		want  schemas.Code
	}{
		"refused":   {reply{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.New("SECRET"))}}, schemas.CodeNetwork},
		"dns":       {reply{err: &net.DNSError{Err: "no such host", Name: "SECRET", IsNotFound: true}}, schemas.CodeNetwork},
		"eof":       {reply{err: io.EOF}, schemas.CodeNetwork},
		"headers":   {reply{err: io.ErrUnexpectedEOF}, schemas.CodeNetwork},
		"timeout":   {reply{err: timeoutError{errors.New("SECRET")}}, schemas.CodeTimeout},
		"cut body":  {reply{status: 200, body: `{"id":"SECRET`, cut: true}, schemas.CodeUnexpectedResponse},
		"cut 404":   {reply{status: 404, body: notFoundBody, cut: true}, schemas.CodeUnexpectedResponse},
		"something": {reply{err: errors.New("SECRET")}, schemas.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				read := patientClient(t, answers(test.reply)).Link(t.Context())
				if read.Link.State != schemas.LinkUnknown || codeOfProblem(read.Problem) != test.want {
					t.Fatalf("%+v, want %s", read.Problem, test.want)
				}
				if strings.Contains(read.Problem.Error()+read.Problem.Foreign+read.Problem.Hint, "SECRET") {
					t.Errorf("untrusted text got out: %+v", read.Problem)
				}
			})
		})
	}
}

func TestCredentialFailures(t *testing.T) {
	t.Parallel()
	rejected := schemas.NewProblem(schemas.CodeCredentialRejected, "The secret is wrong.", schemas.WithUntrusted("7000215", "x"))
	for name, test := range map[string]struct {
		err  error
		want *schemas.Problem
		code schemas.Code
	}{
		"a problem":          {rejected, rejected, schemas.CodeCredentialRejected},
		"a wrapped problem":  {errors.Join(errors.New("SECRET"), rejected), rejected, schemas.CodeCredentialRejected},
		"a not_linked":       {schemas.NewProblem(schemas.CodeNotLinked, "x"), nil, schemas.CodeNotLinked},
		"anything else":      {errors.New("SECRET"), nil, schemas.CodeSignInUnavailable},
		"its own time-out":   {context.DeadlineExceeded, nil, schemas.CodeTimeout},
		"its own connection": {&net.OpError{Op: "dial", Err: errors.New("SECRET")}, nil, schemas.CodeNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := answers(notFound())
			read := newClient(t, &credential{err: test.err}, testOptions(w)).Link(t.Context())
			if read.Link.State != schemas.LinkUnknown || codeOfProblem(read.Problem) != test.code || len(w.all()) != 0 {
				t.Fatalf("%+v, %d sent", read, len(w.all()))
			}
			if test.want != nil && read.Problem != test.want {
				t.Errorf("the problem was changed: %+v", read.Problem)
			}
			if strings.Contains(read.Problem.Error(), "SECRET") || read.Identity.TenantID != tenantID || read.Identity.Tenant != "contoso" {
				t.Errorf("%+v", read)
			}
		})
	}
}

func TestCancelledRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := answers(reply{hang: true, before: func(*http.Request) { cancel() }})
	read := testClient(t, w).Link(ctx)
	if codeOfProblem(read.Problem) != schemas.CodeCancelled || len(w.all()) != 1 {
		t.Errorf("%+v after %d", read.Problem, len(w.all()))
	}
}
