package simulator

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// linkAnswer is the provider's answer about a link. ETag and version are integers
// on the wire; strings in one of the faults.
func (c *call) linkAnswer(l *Link) answer {
	var version any = l.Version
	if c.plan.shows(FaultStringVersions) {
		version = strconv.Itoa(l.Version)
	}
	properties := map[string]any{
		"partnerId": l.PartnerID, "partnerName": c.shown(l.PartnerName), "tenantId": c.tenant.TenantID, "objectId": c.who.objectID, "version": version,
		"updatedTime": stamp(l.UpdatedTime), "createdTime": stamp(l.CreatedTime), "state": l.State,
	}
	res := map[string]any{
		"etag": version, "id": "/providers/microsoft.managementpartner/partners/" + l.PartnerID, "name": l.PartnerID,
		"type": "Microsoft.ManagementPartner/partners", "properties": properties,
	}
	if c.plan.shows(FaultMissingFields) {
		delete(res, "etag")
		delete(properties, "partnerName")
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

// The states of a link. A tombstone is what a DELETE leaves behind.
const (
	StateActive  = "Active"
	StateDeleted = "Deleted"
)

// Link is the provider's record for one identity in one tenant: the truth,
// whatever a client was told about it.
type Link struct {
	PartnerID   string
	PartnerName string
	// Version is also the etag. It rises by one on every write, a DELETE
	// included.
	Version int
	// State is StateActive or StateDeleted.
	State string
	// CreatedTime survives a DELETE and the next PUT, so it does not mean
	// "linked since".
	CreatedTime time.Time
	UpdatedTime time.Time
}

// refusal is why the provider does not do what it was asked.
type refusal int

const (
	accepted refusal = iota
	refusedNotLinked
	refusedOtherPartner
	refusedAlreadyLinked
	refusedMalformed
	refusedGlobal
)

func (l *Link) live() bool { return l != nil && l.State == StateActive }

// create is a PUT. Nil stands for an identity that was never linked.
func (l *Link) create(p partner, now time.Time) (*Link, refusal) {
	if l.live() {
		return l, refusedAlreadyLinked
	}
	return l.next(p, StateActive, now), accepted
}

// move is a PATCH, whose partner is the new one.
func (l *Link) move(p partner, now time.Time) (*Link, refusal) {
	if !l.live() {
		return l, refusedNotLinked
	}
	return l.next(p, StateActive, now), accepted
}

// remove is a DELETE, which has to name the partner that is linked.
func (l *Link) remove(id string, now time.Time) (*Link, refusal) {
	if !l.live() {
		return l, refusedNotLinked
	}
	if l.PartnerID != id {
		return l, refusedOtherPartner
	}
	return l.next(partner{id: l.PartnerID, name: l.PartnerName}, StateDeleted, now), accepted
}

// next is the record after a write. Records are never changed in place.
func (l *Link) next(p partner, state string, now time.Time) *Link {
	now = now.UTC().Truncate(tick)
	n := &Link{PartnerID: p.id, PartnerName: p.name, Version: 1, State: state, CreatedTime: now, UpdatedTime: now}
	if l != nil {
		n.Version, n.CreatedTime = l.Version+1, l.CreatedTime
	}
	return n
}

// tick is the resolution of the provider's times: seven fraction digits.
const tick = 100 * time.Nanosecond

// stamp writes a time as the provider does, always with seven digits.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// partner is an entry of the partner register: an MPN ID with its name.
type partner struct {
	id, name string
	// global marks a virtual organization, which the provider refuses.
	global bool
}

// startPartners are the partners that the first links point to. The first is
// the one that most tenants have.
func startPartners() []partner {
	return []partner{
		{id: "1234567", name: "Contoso Cloud Services"},
		{id: "7654321", name: "Fabrikam Consulting"},
		{id: "2345678", name: "Northwind Managed Services"},
		{id: "512345", name: "Woodgrove Advisory"},
	}
}

// partner finds a partner. Any well-formed ID is one, as the service does not
// check ownership: names are generated on demand.
func (s *Simulator) partner(id string) partner {
	if p, ok := s.partners[id]; ok {
		return p
	}
	first := []string{"Alpine", "Blue Yonder", "Coho", "Datum", "Fourth Coffee", "Graphic", "Humongous", "Margie's", "Relecloud", "Trey"}
	second := []string{"Cloud", "Consulting", "Digital", "Managed Services", "Partners", "Research", "Systems"}
	d := draw(s.cfg.Seed, "partner", id)
	return partner{id: id, name: first[int(d[0])%len(first)] + " " + second[int(d[1])%len(second)]}
}

// validPartnerID accepts what was seen in use, 5 to 8 digits, with a margin.
func validPartnerID(id string) bool {
	return len(id) >= 4 && len(id) <= 10 && strings.Trim(id, "0123456789") == ""
}
