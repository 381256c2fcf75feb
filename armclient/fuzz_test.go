package armclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// checkRead states what holds of every look at a link, whatever was answered.
func checkRead(t *testing.T, read LinkRead) {
	t.Helper()
	l := read.Link
	switch l.State {
	case answers.LinkUnknown:
		if read.Problem == nil || l.Reason != read.Problem.Code || l.PartnerID != "" {
			t.Fatalf("unknown without a reason: %+v", read)
		}
	case answers.LinkLinked, answers.LinkDeleted:
		if _, err := partnerid.Read(string(l.PartnerID)); err != nil || read.Problem != nil {
			t.Fatalf("%+v: %v", read, err)
		}
	case answers.LinkNotLinked:
		if read.Problem != nil || !read.TokenReadable || l.PartnerID != "" {
			t.Fatalf("%+v", read)
		}
	default:
		t.Fatalf("state %q", l.State)
	}
	for _, s := range []string{l.PartnerName, l.PartnerState} {
		checkClean(t, s)
	}
	for _, s := range []string{l.CreatedTime, l.UpdatedTime} {
		if when, err := time.Parse(time.RFC3339Nano, s); s != "" && (err != nil || !strings.HasSuffix(s, "Z") || when.Year() <= 1) {
			t.Fatalf("time %q: %v", s, err)
		}
	}
	if l.Version != nil && *l.Version < 0 {
		t.Fatalf("version %d", *l.Version)
	}
	if p := read.Problem; p != nil {
		checkClean(t, p.Foreign)
		checkClean(t, p.ForeignCode)
	}
}

func checkClean(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > untrusted.Limit || strings.ContainsFunc(s, unicode.IsControl) {
		t.Fatalf("untrusted text %q is not clean", s)
	}
}

// FuzzPartnerResponse sends any body with 200 through the real pipeline.
func FuzzPartnerResponse(f *testing.F) {
	for _, file := range recordedFiles(f) {
		if file.Status == http.StatusOK && file.Pad == 0 {
			f.Add([]byte(file.body(f)))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		read := testClient(t, replying(reply{status: 200, body: string(body)})).Link(t.Context())
		checkRead(t, read)
		if read.Link.State == answers.LinkNotLinked {
			t.Fatal("a 200 became not_linked")
		}
	})
}

// FuzzErrorBody sends any body with a status other than 200, and judges a
// not_linked by an independent reading of the body.
func FuzzErrorBody(f *testing.F) {
	for _, file := range recordedFiles(f) {
		if file.Status >= 300 && file.Pad == 0 {
			f.Add(uint16(file.Status), file.Headers["Content-Type"], []byte(file.body(f)))
		}
	}
	f.Fuzz(func(t *testing.T, code uint16, contentType string, body []byte) {
		code = 201 + code%399
		if code == 429 || code == 408 || code >= 500 {
			code = 404 // those are repeated, which only costs time here
		}
		answer := reply{status: int(code), body: string(body), header: map[string]string{"Content-Type": contentType}}
		read := testClient(t, replying(answer)).Link(t.Context())
		checkRead(t, read)
		if read.Link.State == answers.LinkNotLinked && (code != 404 || !plainlyNotFound(body)) {
			t.Fatalf("%d %q became not_linked", code, body)
		}
		if read.Link.State == answers.LinkLinked || read.Link.State == answers.LinkDeleted {
			t.Fatalf("%d became %s", code, read.Link.State)
		}
	})
}

// plainlyNotFound reads the body in the simplest way: an object in which some
// code is NotFound, and none at whatever depth is anything else, nor is there a
// link.
func plainlyNotFound(body []byte) bool {
	var outer map[string]any
	if json.Unmarshal([]byte(strings.TrimPrefix(string(body), "\ufeff")), &outer) != nil {
		return false
	}
	found, other := 0, 0
	var count func(value any)
	count = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, element := range v {
				count(element)
			}
		case map[string]any:
			for key, inner := range v {
				switch {
				case strings.EqualFold(key, "properties"), strings.EqualFold(key, "partnerId"):
					other++
				case !strings.EqualFold(key, "code"):
				case strings.EqualFold(fmt.Sprint(inner), "NotFound"):
					found++
				default:
					other++
				}
				count(inner)
			}
		}
	}
	count(outer)
	return found > 0 && other == 0
}

// FuzzToken puts anything into the Authorization header.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		goodToken(), tokenFor(otherID, objectID), tokenFor(strings.ToUpper(tenantID), objectID), "opaque", "a.b.c", "..", "", "a.e30.c", "a.bnVsbA.c",
		jwt(map[string]any{"tid": tenantID}), jwt(map[string]any{"tid": 1, "oid": nil}), jwt(map[string]any{"TID": tenantID, "OID": objectID}),
		goodToken() + ".d", goodToken() + "=", "a." + strings.Repeat("A", 9000) + ".c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, readable := readClaims("Bearer " + token)
		if readable != (c.tenantID != "" && c.objectID != "") {
			t.Fatalf("readable %v with %+v", readable, c)
		}
		for _, id := range []string{c.tenantID, c.objectID} {
			if id != "" && (!naming.IsGUID(id) || id != strings.ToLower(id)) {
				t.Fatalf("claim %q", id)
			}
		}
		if strings.ContainsAny(token, "\r\n\x00") {
			return // no header may hold them
		}
		w := replying(notFound())
		read := newClient(t, withToken(token), testOptions(w)).Link(t.Context())
		checkRead(t, read)
		right := readable && c.tenantID == tenantID
		if (read.Link.State == answers.LinkNotLinked) != right {
			t.Fatalf("%+v with claims %+v", read, c)
		}
		if c.tenantID != "" && c.tenantID != tenantID && len(w.all()) != 0 {
			t.Fatal("a token of another tenant was sent")
		}
	})
}

// BenchmarkDecode reads a recorded answer.
func BenchmarkDecode(b *testing.B) {
	body := []byte(linkBody(partner1, 7, "Active"))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var answer linkAnswer
		if !unmarshalObject(body, &answer) || answer.properties.partnerID != partner1 {
			b.Fatal("not decoded")
		}
	}
}

// BenchmarkLink is a whole check through the pipeline without a network.
func BenchmarkLink(b *testing.B) {
	answer := active(partner1, 7)
	c := newClient(b, withToken(goodToken()), testOptions(answering(answer)))
	b.ReportAllocs()
	for b.Loop() {
		if read := c.Link(b.Context()); read.Link.State != answers.LinkLinked {
			b.Fatal(read.Problem)
		}
	}
}

// BenchmarkReadClaims is what the gate adds to a request.
func BenchmarkReadClaims(b *testing.B) {
	header := "Bearer " + goodToken()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := readClaims(header); !ok {
			b.Fatal("unreadable")
		}
	}
}

// answering is a transport that keeps nothing.
type answering reply

func (a answering) Do(r *http.Request) (*http.Response, error) { return reply(a).response(r), nil }
