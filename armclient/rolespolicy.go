package armclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/strictjson"
	"mcp-partner/schemas/problems"
)

// listPolicy holds Microsoft's modules to what the rest of this package holds
// itself to: they would take an empty answer for an empty list, and follow a
// nextLink into another list or in a circle.
type listPolicy struct{}

// listTrail is one list: its path, and the pages of it that were read.
type listTrail struct {
	path string
	read trail
}

type listTrailKey struct{}

func (listPolicy) Do(req *policy.Request) (*http.Response, error) {
	u := req.Raw().URL
	u.Path, u.RawPath = "/"+strings.TrimLeft(u.Path, "/"), "" // the scope of the whole tenant is empty
	list, _ := req.Raw().Context().Value(listTrailKey{}).(*listTrail)
	if list != nil {
		if err := list.enter(req.Raw()); err != nil {
			return nil, final{err}
		}
	}
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if !usable(resp, list != nil) {
		return nil, final{unusable(resp)}
	}
	return resp, nil
}

func (l *listTrail) enter(r *http.Request) error {
	path := strings.ToLower(strings.TrimRight(r.URL.Path, "/"))
	if l.path == "" {
		l.path = path
	}
	if path != l.path {
		return problems.New(problems.CodeUnexpectedResponse, "The answer names a next page outside of the list; it was not read.")
	}
	return l.read.enter(r.URL.String())
}

// usable reports whether a body is one JSON object, and that of a list has rows.
func usable(resp *http.Response, list bool) bool {
	body, err := runtime.Payload(resp)
	if err != nil || !jsonContent(resp.Header) {
		return false
	}
	needed := "properties"
	if list {
		needed = "value"
	}
	members, err := strictjson.Named(withoutBOM(body), needed, "nextLink", "error")
	if err != nil || members["error"] != nil {
		return false
	}
	rows := bytes.TrimSpace(members[needed])
	return len(rows) > 0 && (list && rows[0] == '[' || !list && rows[0] == '{')
}

// roleProblem gives an error of the modules our own words; theirs quote bodies.
func roleProblem(ctx context.Context, err error) error {
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok && answer.RawResponse != nil {
		return roleRejection(rejected(ctx, answer.RawResponse))
	}
	var known *problems.Problem
	if !errors.As(err, &known) && recordOf(ctx).status == http.StatusOK && ctx.Err() == nil && netProblem(err) == nil {
		return problems.New(problems.CodeUnexpectedResponse, "ARM answered 200 with a body that is not a list of this kind.")
	}
	return failed(ctx, err)
}

// roleRejection takes back what rejected says of links.
func roleRejection(err error) error {
	problem := problems.As(err)
	if problem.Code != problems.CodeNotLinked && problem.Code != problems.CodeForeignPrincipal && problem.Code != problems.CodeProviderUnavailable {
		return problem
	}
	own := *problem
	own.Code, own.Message, own.Retryable = problems.CodeUnexpectedResponse, "ARM does not know the subscription, or does not show it to this identity.", false
	own.Hint = "Check the subscription's ID, and whether this identity has a role in it."
	return &own
}
