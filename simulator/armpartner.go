package simulator

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// partnerResponse is the provider's answer. ETag and Version are integers on
// the wire; strings in one of the faults.
type partnerResponse struct {
	ETag       any               `json:"etag,omitempty"`
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Properties partnerProperties `json:"properties"`
}

type partnerProperties struct {
	PartnerID   string `json:"partnerId"`
	PartnerName string `json:"partnerName,omitempty"`
	TenantID    string `json:"tenantId"`
	ObjectID    string `json:"objectId"`
	Version     any    `json:"version"`
	UpdatedTime string `json:"updatedTime"`
	CreatedTime string `json:"createdTime"`
	State       string `json:"state"`
}

func (c *call) linkAnswer(l *Link) answer {
	var version any = l.Version
	if c.plan.shows(FaultStringVersions) {
		version = strconv.Itoa(l.Version)
	}
	res := partnerResponse{
		ETag: version, ID: "/providers/microsoft.managementpartner/partners/" + l.PartnerID, Name: l.PartnerID, Type: "Microsoft.ManagementPartner/partners",
		Properties: partnerProperties{
			PartnerID: l.PartnerID, PartnerName: l.PartnerName, TenantID: c.tenant.TenantID, ObjectID: c.who.objectID, Version: version,
			UpdatedTime: stamp(l.UpdatedTime), CreatedTime: stamp(l.CreatedTime), State: l.State,
		},
	}
	if c.plan.shows(FaultHostileNames) {
		res.Properties.PartnerName = hostileName(c.draw("name"))
	}
	if c.plan.shows(FaultMissingFields) {
		res.ETag, res.Properties.PartnerName = nil, ""
	}
	return c.fromProvider(jsonAnswer(http.StatusOK, res))
}

// getPartners answers for the calling identity only: a 404 says nothing about
// other identities in the tenant.
func (c *call) getPartners() answer {
	l := c.who.link
	if l.live() || l != nil && c.plan.shows(FaultDeleted200) {
		return c.linkAnswer(l)
	}
	return c.refused(refusedNotLinked, "")
}

// partner serves the four methods of one partner ID.
func (c *call) partner() answer {
	id := c.route.arg
	if !validPartnerID(id) {
		return c.refused(refusedMalformed, id)
	}
	p := c.sim.partner(id)
	switch c.r.Method {
	case http.MethodGet:
		return c.getPartner(id)
	case http.MethodPut:
		return c.write(p, (*Link).create)
	case http.MethodPatch:
		return c.write(p, (*Link).move)
	case http.MethodDelete:
		return c.write(p, func(l *Link, p partner, now time.Time) (*Link, refusal) { return l.remove(p.id, now) })
	}
	return notAllowed("GET, PUT, PATCH, DELETE")
}

func (c *call) getPartner(id string) answer {
	l := c.who.link
	if l == nil || l.PartnerID != id || !l.live() && !c.plan.shows(FaultDeleted200) {
		return c.refused(refusedOtherPartner, id)
	}
	return c.linkAnswer(l)
}

// write changes the link in one step; a planned other writer comes just before
// it.
func (c *call) write(p partner, op func(*Link, partner, time.Time) (*Link, refusal)) answer {
	if p.global && c.r.Method != http.MethodDelete {
		return c.refused(refusedGlobal, p.id)
	}
	c.who.link = c.otherWriter(c.who.link)
	l, why := op(c.who.link, p, c.now)
	if why != accepted {
		return c.refused(why, p.id)
	}
	c.who.link, c.written = l, true
	if c.plan.Kind == FaultOtherWriterLate {
		c.who.link = l.next(c.other(l), StateActive, c.now)
	}
	if l.State == StateDeleted {
		return c.fromProvider(emptyAnswer(http.StatusOK))
	}
	return c.linkAnswer(l)
}

// otherWriter changes the link just before the write, as a second client would.
func (c *call) otherWriter(l *Link) *Link {
	switch c.plan.Kind {
	case FaultOtherWriter:
		return l.next(c.other(l), StateActive, c.now)
	case FaultOtherWriterBack:
		return c.thereAndBack(l)
	}
	return l
}

// thereAndBack leaves the link as it looked, two versions on.
func (c *call) thereAndBack(l *Link) *Link {
	there := l.next(c.other(l), StateActive, c.now)
	if l.live() {
		return there.next(partner{id: l.PartnerID, name: l.PartnerName}, StateActive, c.now)
	}
	return there.next(c.other(l), StateDeleted, c.now)
}

// other is a partner that is neither linked nor in the request.
func (c *call) other(l *Link) partner {
	for _, p := range startPartners() {
		if p.id != c.route.arg && (l == nil || p.id != l.PartnerID) {
			return c.sim.partner(p.id)
		}
	}
	return c.sim.partner("999999") // not reached: four are more than two
}

func notAllowed(methods string) answer {
	a := armError(http.StatusMethodNotAllowed, "HttpMethodNotAllowed", "The methods allowed here are "+methods+".")
	a.header.Set("Allow", methods)
	return a
}

//go:embed operations.json
var operationsText []byte

const operationsPage = 2

// operations answers in pages, which exposes a client that reads only one.
func (c *call) operations() answer {
	var list []json.RawMessage
	if err := json.Unmarshal(operationsText, &list); err != nil {
		return emptyAnswer(http.StatusInternalServerError)
	}
	skip := 0
	if token := c.r.URL.Query().Get("$skiptoken"); token != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(token, "page-"))
		if err != nil || n < 1 || n*operationsPage >= len(list) {
			return c.providerError(http.StatusBadRequest, "BadRequest", "The skip token '"+clip(token)+"' is not one that was given out.")
		}
		skip = n * operationsPage
	}
	body := map[string]any{"value": list[skip:min(len(list), skip+operationsPage)]}
	if next := skip + operationsPage; next < len(list) {
		body["nextLink"] = c.base() + "/providers/Microsoft.ManagementPartner/operations?api-version=" + partnerAPIVersion +
			"&$skiptoken=page-" + strconv.Itoa(next/operationsPage)
	}
	return c.fromProvider(jsonAnswer(http.StatusOK, body))
}
