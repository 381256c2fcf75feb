package armclient

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// recorded is one file of testdata/links: an answer to GET /partners in a
// recorded shape or an odd one, and what has to be said of it.
type recorded struct {
	About   string            `json:"about"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	// The body is one of these; {tid}, {oid}, {TID}, {OID} and {token} are filled in.
	JSON   json.RawMessage `json:"json"`
	Text   string          `json:"text"`
	Base64 string          `json:"base64"`
	// Pad is how many spaces follow the body.
	Pad int `json:"pad"`
	// Token is opaque, no_oid or empty for a good one.
	Token string `json:"token"`
	Want  struct {
		State       answers.LinkState `json:"state"`
		Code        problems.Code     `json:"code"`
		ForeignCode string            `json:"foreign_code"`
		RetryAfter  int               `json:"retry_after_seconds"`
		Requests    int               `json:"requests"`
		PartnerID   string            `json:"partner_id"`
		PartnerName string            `json:"partner_name"`
		Partner     string            `json:"partner_state"`
		Version     *int64            `json:"version"`
		Created     string            `json:"created_time"`
		Updated     string            `json:"updated_time"`
	} `json:"want"`
}

func (r recorded) body(t testing.TB) string {
	t.Helper()
	text := string(r.JSON) + r.Text
	if r.Base64 != "" {
		raw, err := base64.StdEncoding.DecodeString(r.Base64)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	fill := strings.NewReplacer("{tid}", tenantID, "{oid}", objectID, "{TID}", strings.ToUpper(tenantID), "{OID}", strings.ToUpper(objectID),
		"{token}", goodToken())
	return fill.Replace(text) + strings.Repeat(" ", r.Pad)
}

func (r recorded) token() string {
	switch r.Token {
	case "opaque":
		return "0.opaqueToken"
	case "no_oid":
		return jwt(map[string]any{"tid": tenantID, "sub": objectID})
	default:
		return goodToken()
	}
}

// reply has no other headers than the file.
func (r recorded) reply(t testing.TB) reply {
	header := map[string]string{"Content-Type": "", "X-Ms-Request-Id": ""}
	for name, value := range r.Headers {
		header[http.CanonicalHeaderKey(name)] = value
	}
	return reply{status: r.Status, header: header, body: r.body(t)}
}

func recordedFiles(t testing.TB) map[string]recorded {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "links", "*.json"))
	if err != nil || len(names) < 40 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	files := map[string]recorded{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file recorded
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files[strings.TrimSuffix(filepath.Base(name), ".json")] = file
	}
	return files
}

func TestLinkStates(t *testing.T) {
	t.Parallel()
	for name, file := range recordedFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { checkState(t, file) })
		})
	}
}

func checkState(t *testing.T, file recorded) {
	w := replying(file.reply(t))
	o := testOptions(w)
	o.RetryDelay = 0 // azcore's own, in the bubble's time
	read := newClient(t, withToken(file.token()), o).Link(t.Context())
	if read.Link.State != file.Want.State || codeOfProblem(read.Problem) != file.Want.Code || read.Link.Reason != file.Want.Code {
		t.Fatalf("%s: got %+v, problem %+v; want %s %s", file.About, read.Link, read.Problem, file.Want.State, file.Want.Code)
	}
	if file.Want.Requests > 0 && len(w.all()) != file.Want.Requests {
		t.Errorf("%d requests, want %d", len(w.all()), file.Want.Requests)
	}
	checkLinkFields(t, file, read.Link)
	checkProblemFields(t, file, read)
}

func checkLinkFields(t *testing.T, file recorded, got answers.Link) {
	t.Helper()
	want := file.Want
	if string(got.PartnerID) != want.PartnerID || got.PartnerName != want.PartnerName || got.PartnerState != want.Partner {
		t.Errorf("partner %q %q %q, want %q %q %q", got.PartnerID, got.PartnerName, got.PartnerState, want.PartnerID, want.PartnerName, want.Partner)
	}
	if got.CreatedTime != want.Created || got.UpdatedTime != want.Updated {
		t.Errorf("times %q %q, want %q %q", got.CreatedTime, got.UpdatedTime, want.Created, want.Updated)
	}
	if (got.Version == nil) != (want.Version == nil) || got.Version != nil && *got.Version != *want.Version {
		t.Errorf("version %v, want %v", got.Version, want.Version)
	}
}

func checkProblemFields(t *testing.T, file recorded, read LinkRead) {
	t.Helper()
	if read.RequestID != file.Headers["x-ms-request-id"] || read.CorrelationID != file.Headers["x-ms-correlation-request-id"] {
		t.Errorf("IDs %q %q", read.RequestID, read.CorrelationID)
	}
	p := read.Problem
	if p == nil {
		return
	}
	if p.ARMRequestID != file.Headers["x-ms-request-id"] || p.CorrelationID != file.Headers["x-ms-correlation-request-id"] {
		t.Errorf("problem's IDs %q %q", p.ARMRequestID, p.CorrelationID)
	}
	if p.RetryAfterSeconds != file.Want.RetryAfter {
		t.Errorf("retry after %d s, want %d", p.RetryAfterSeconds, file.Want.RetryAfter)
	}
	if file.Want.ForeignCode != "" && p.ForeignCode != file.Want.ForeignCode {
		t.Errorf("foreign code %q, want %q", p.ForeignCode, file.Want.ForeignCode)
	}
}

// Of all the answers that exist, only those named not-found may be not_linked:
// a file whose want is wrong would otherwise go unnoticed.
func TestNotLinkedOnlyForClean404(t *testing.T) {
	t.Parallel()
	for name, file := range recordedFiles(t) {
		if got := strings.Contains(name, "-not-found-"); got != (file.Want.State == answers.LinkNotLinked) {
			t.Errorf("%s wants %s", name, file.Want.State)
		}
	}
}
