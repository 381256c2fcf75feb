package armclient

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/strictjson"
	"mcp-partner/schemas/problems"
)

// linkAnswer is the provider's answer about one link, and linkProperties what is
// read of it, tolerantly: what is missing or cannot be understood is nil.
type linkAnswer struct{ properties *linkProperties }

type linkProperties struct {
	partnerID   *string
	partnerName *string // untrusted text, as it came
	tenantID    *string
	objectID    *string
	// version rises by one with every write, deletion included.
	version *int64
	// createdTime and updatedTime are RFC 3339 in UTC. createdTime survives a
	// deletion and a new link.
	createdTime, updatedTime *string
	// state is the provider's own word; the list is open.
	state *string
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
	var wire struct {
		properties *linkProperties
		failure    any
		other      looseText
	}
	if err := decodeMembers(data, map[string]any{
		"etag": &wire.other, "id": &wire.other, "name": &wire.other, "type": &wire.other, "properties": &wire.properties, "error": &wire.failure,
	}); err != nil {
		return err
	}
	if wire.failure != nil {
		return errors.New("an error and a link at once")
	}
	b.properties = wire.properties
	return nil
}

// UnmarshalJSON implements json.Unmarshaler. The fields that decide what is
// said of a link must be text; the rest may be odd and is then left out.
func (p *linkProperties) UnmarshalJSON(data []byte) error {
	var partnerID idText
	var tenantID, objectID, state strictText
	var name looseText
	var version looseInt
	var created, updated looseTime
	if err := decodeMembers(data, map[string]any{
		"partnerId": &partnerID, "partnerName": &name, "tenantId": &tenantID, "objectId": &objectID,
		"version": &version, "createdTime": &created, "updatedTime": &updated, "state": &state,
	}); err != nil {
		return err
	}
	*p = linkProperties{partnerID.value, name.value, tenantID.value, objectID.value, version.value, created.value, updated.value, state.value}
	return nil
}

// decodeMembers fills the targets with the members of their exact names; null has
// none.
func decodeMembers(data []byte, targets map[string]any) error {
	if string(data) == "null" {
		return nil
	}
	members, err := strictjson.Named(data, slices.Collect(maps.Keys(targets))...)
	if err != nil {
		return err
	}
	for name, raw := range members {
		if err := json.Unmarshal(raw, targets[name]); err != nil {
			return err
		}
	}
	return nil
}

// strictText is a string or null.
type strictText struct{ value *string }

func (t *strictText) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &t.value) }

// idText is a string or a whole number written as digits alone.
type idText struct{ value *string }

func (t *idText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] >= '0' && data[0] <= '9' {
		digits := string(data)
		t.value = &digits
		return nil
	}
	return json.Unmarshal(data, &t.value)
}

// looseText drops what is no string.
type looseText struct{ value *string }

func (t *looseText) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &t.value) != nil {
		t.value = nil
	}
	return nil
}

// looseInt is a whole number or a string of one, as in older files; it drops
// anything else, such as an HTTP etag.
type looseInt struct{ value *int64 }

func (i *looseInt) UnmarshalJSON(data []byte) error {
	i.value = nil
	if n, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64); err == nil && n >= 0 {
		i.value = &n
	}
	return nil
}

// looseTime is a time as RFC 3339 in UTC; it drops what it cannot read.
type looseTime struct{ value *string }

func (t *looseTime) UnmarshalJSON(data []byte) error {
	var text string
	t.value = nil
	if json.Unmarshal(data, &text) == nil {
		t.value = normalTime(text)
	}
	return nil
}

// normalTime reads any number of fraction digits, and takes a time without a
// zone for UTC. .NET's zero time stands for none.
func normalTime(text string) *string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		when, err := time.Parse(layout, strings.TrimSpace(text))
		if when = when.UTC(); err == nil && when.Year() > 1 && when.Year() < 10000 {
			normal := when.Format(time.RFC3339Nano)
			return &normal
		}
	}
	return nil
}
