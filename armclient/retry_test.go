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

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
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
		w := replying(broken(), status(503), notFound())
		if read := patientClient(t, w).Link(t.Context()); read.Link.State != answers.LinkNotLinked || len(w.all()) != 3 {
			t.Errorf("%+v after %d", read, len(w.all()))
		}
		w = replying(broken())
		if read := patientClient(t, w).Link(t.Context()); codeOfProblem(read.Problem) != problems.CodeNetwork || len(w.all()) != 3 {
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
				w := replying(status(429).with(header()), notFound())
				start := time.Now()
				read := patientClient(t, w).Link(t.Context())
				if took := time.Since(start); read.Link.State != answers.LinkNotLinked || took < 4*time.Second || took > 4*time.Second+waitSpread {
					t.Errorf("%+v after %v", read.Link, took)
				}
			})
		})
	}
}

func TestLongRetryAfterComesBackAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for value, want := range map[string]int{"11": 11, "120": 120, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): 60} {
			w := replying(status(429).with("Retry-After", value))
			start := time.Now()
			p := patientClient(t, w).Link(t.Context()).Problem
			if codeOfProblem(p) != problems.CodeThrottled || p.RetryAfterSeconds != want || !p.Retryable || time.Since(start) != 0 || len(w.all()) != 1 {
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
		for want, cred := range map[problems.Code]*credential{
			problems.CodeWrongTenant: withToken(tokenFor(otherID, objectID)),
			problems.CodeVaultLocked: {err: problems.New(problems.CodeVaultLocked, "x")},
		} {
			o := testOptions(replying(notFound()))
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
		p := patientClient(t, replying(status(429).with("Retry-After", "8"))).Link(ctx).Problem
		if codeOfProblem(p) != problems.CodeThrottled || p.RetryAfterSeconds != 8 || ctx.Err() != nil {
			t.Errorf("%+v, %v", p, ctx.Err())
		}
	})
}

func TestEveryCallHasADeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		read := patientClient(t, replying(reply{hang: true})).Link(context.Background())
		if codeOfProblem(read.Problem) != problems.CodeTimeout || time.Since(start) != readTime {
			t.Errorf("read: %+v after %v", read.Problem, time.Since(start))
		}
		start = time.Now()
		change := Change{Method: http.MethodPut, PartnerID: partner1, Before: answers.Link{State: answers.LinkNotLinked}}
		outcome := patientClient(t, replying(reply{hang: true})).Apply(context.Background(), permit(t, change), change)
		if outcome.Applied != AppliedUnknown || time.Since(start) != writeTime+readBackTime {
			t.Errorf("write: %+v after %v", outcome, time.Since(start))
		}
	})
}

type timeoutError struct{ error }

func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// A transport failure is reported by its kind, without its text, which may
// quote anything.
func TestTransportFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		want  problems.Code
	}{
		"refused":   {reply{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.New("SECRET"))}}, problems.CodeNetwork},
		"dns":       {reply{err: &net.DNSError{Err: "no such host", Name: "SECRET", IsNotFound: true}}, problems.CodeNetwork},
		"eof":       {reply{err: io.EOF}, problems.CodeNetwork},
		"headers":   {reply{err: io.ErrUnexpectedEOF}, problems.CodeNetwork},
		"timeout":   {reply{err: timeoutError{errors.New("SECRET")}}, problems.CodeTimeout},
		"cut body":  {reply{status: 200, body: `{"id":"SECRET`, cut: true}, problems.CodeUnexpectedResponse},
		"cut 404":   {reply{status: 404, body: notFoundBody, cut: true}, problems.CodeUnexpectedResponse},
		"something": {reply{err: errors.New("SECRET")}, problems.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				read := patientClient(t, replying(test.reply)).Link(t.Context())
				if read.Link.State != answers.LinkUnknown || codeOfProblem(read.Problem) != test.want {
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
	rejected := problems.New(problems.CodeCredentialRejected, "The secret is wrong.", problems.WithUntrusted("7000215", "x"))
	for name, test := range map[string]struct {
		err  error
		want *problems.Problem
		code problems.Code
	}{
		"a problem":          {err: rejected, want: rejected, code: problems.CodeCredentialRejected},
		"a wrapped problem":  {err: errors.Join(errors.New("SECRET"), rejected), want: rejected, code: problems.CodeCredentialRejected},
		"a not_linked":       {err: problems.New(problems.CodeNotLinked, "x"), code: problems.CodeNotLinked},
		"anything else":      {err: errors.New("SECRET"), code: problems.CodeSignInUnavailable},
		"its own time-out":   {err: context.DeadlineExceeded, code: problems.CodeTimeout},
		"its own connection": {err: &net.OpError{Op: "dial", Err: errors.New("SECRET")}, code: problems.CodeNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := replying(notFound())
			read := newClient(t, &credential{err: test.err}, testOptions(w)).Link(t.Context())
			if read.Link.State != answers.LinkUnknown || codeOfProblem(read.Problem) != test.code || len(w.all()) != 0 {
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
	w := replying(reply{hang: true, before: func(*http.Request) { cancel() }})
	read := testClient(t, w).Link(ctx)
	if codeOfProblem(read.Problem) != problems.CodeCancelled || len(w.all()) != 1 {
		t.Errorf("%+v after %d", read.Problem, len(w.all()))
	}
}
