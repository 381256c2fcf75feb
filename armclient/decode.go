package armclient

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/strictjson"
	"mcp-partner/schemas/problems"
)

// linkAnswer is the provider's answer about one link, and linkProperties what is
// read of it, tolerantly: what is missing or cannot be understood is empty.
type linkAnswer struct{ properties *linkProperties }

type linkProperties struct {
	partnerID          string
	partnerName        string // untrusted text, as it came
	tenantID, objectID string
	// version rises by one with every write, deletion included.
	version *int64
	// createdTime and updatedTime are RFC 3339 in UTC. createdTime survives a
	// deletion and a new link.
	createdTime, updatedTime string
	// state is the provider's own word; the list is open.
	state string
}

// linkOf decodes an answer about one link; the error of the request goes first.
func linkOf(resp *http.Response, err error) (*linkProperties, error) {
	if err != nil {
		return nil, err
	}
	body, err := decodeJSON[linkAnswer](resp)
	return body.properties, err
}

// decodeJSON reads the one JSON object that an answer holds. azcore's own
// decoder takes an empty body for an empty object, and quotes the body.
func decodeJSON[T any](resp *http.Response) (T, error) {
	var value, none T
	body, err := runtime.Payload(resp) // downloaded before, so it does not fail
	if err != nil || !jsonContent(resp.Header) || !unmarshalObject(body, &value) {
		return none, unusable(resp)
	}
	return value, nil
}

func unmarshalObject(body []byte, value any) bool {
	body = withoutBOM(body)
	return len(body) > 0 && body[0] == '{' && json.Unmarshal(body, value) == nil
}

func unusable(resp *http.Response) error {
	return problems.New(problems.CodeUnexpectedResponse, "ARM answered 200 with an unexpected body.",
		problems.WithRequestIDs(requestIDs(resp.Header)))
}

// UnmarshalJSON implements json.Unmarshaler, tolerantly: the recorded answers
// differ in types and in what is there at all. Not in the names of members: one
// that appears twice, or in another case, makes the answer unusable, and so
// does an error beside the link.
func (b *linkAnswer) UnmarshalJSON(data []byte) error {
	members, err := strictjson.Named(data, "etag", "id", "name", "type", "properties", "error")
	if err != nil {
		return err
	}
	if failure := members["error"]; failure != nil && string(failure) != "null" {
		return errors.New("an error and a link at once")
	}
	if members["properties"] == nil {
		return nil
	}
	return json.Unmarshal(members["properties"], &b.properties)
}

// UnmarshalJSON implements json.Unmarshaler. The fields that decide what is
// said of a link must be text; the rest may be odd and is then left out.
func (p *linkProperties) UnmarshalJSON(data []byte) error {
	members, err := strictjson.Named(data, "partnerId", "partnerName", "tenantId", "objectId", "version", "createdTime", "updatedTime", "state")
	if err != nil {
		return err
	}
	*p = linkProperties{
		partnerName: looseText(members["partnerName"]), version: looseInt(members["version"]),
		createdTime: normalTime(looseText(members["createdTime"])), updatedTime: normalTime(looseText(members["updatedTime"])),
	}
	return errors.Join(
		idText(members["partnerId"], &p.partnerID), strictText(members["tenantId"], &p.tenantID),
		strictText(members["objectId"], &p.objectID), strictText(members["state"], &p.state),
	)
}

func strictText(raw json.RawMessage, text *string) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, text)
}

// idText reads a string or a whole number written as digits alone.
func idText(raw json.RawMessage, text *string) error {
	if len(raw) > 0 && raw[0] >= '0' && raw[0] <= '9' {
		*text = string(raw)
		return nil
	}
	return strictText(raw, text)
}

func looseText(raw json.RawMessage) (text string) {
	if strictText(raw, &text) != nil {
		return ""
	}
	return text
}

// looseInt is a whole number or a string of one, as in older files; it drops
// anything else, such as an HTTP etag.
func looseInt(raw json.RawMessage) *int64 {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// normalTime reads any number of fraction digits, and takes a time without a
// zone for UTC; what cannot be read, and .NET's zero time, is "".
func normalTime(text string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		when, err := time.Parse(layout, strings.TrimSpace(text))
		if when = when.UTC(); err == nil && when.Year() > 1 && when.Year() < 10000 {
			return when.Format(time.RFC3339Nano)
		}
	}
	return ""
}
