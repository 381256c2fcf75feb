package usage

import (
	"cmp"
	"fmt"
	"slices"

	"mcp-partner/schemas/answers"
)

// Action says what to do about a subscription.
type Action string

// The actions, those that need somebody first.
const (
	RoleMissing  Action = "role_missing"
	LinkMissing  Action = "link_missing"
	BothMissing  Action = "role_and_link_missing"
	OpenTicket   Action = "open_ticket"
	PartlyCredit Action = "partly_credited"
	RoleUnlisted Action = "role_unlisted"
	Unknown      Action = "unknown"
	NotManaged   Action = "not_in_directory"
	OthersCredit Action = "credit_of_others"
	InOrder      Action = "in_order"
)

// Actions returns all actions in their order.
func Actions() []Action {
	return []Action{RoleMissing, LinkMissing, BothMissing, OpenTicket, PartlyCredit, RoleUnlisted, Unknown, NotManaged, OthersCredit, InOrder}
}

// Words says for a person what to do.
func (a Action) Words() string {
	return map[Action]string{
		RoleMissing: "role missing", LinkMissing: "link missing", BothMissing: "role and link missing",
		OpenTicket: "both there, no credit: open a ticket with this evidence", PartlyCredit: "both there, credit on a part: compare the days",
		RoleUnlisted: "role is on no list: assign an eligible one", Unknown: "unknown: see why", NotManaged: "tenant is not in the directory: add it",
		OthersCredit: "credit without our link: somebody else's", InOrder: "in order",
	}[a]
}

// Facts are what is known of one tenant.
type Facts struct {
	// Company, Domain and Tenant are what the directory calls it, or "".
	Company, Domain, Tenant string
	Link                    answers.Link
	Roles                   *answers.PECRoles
	// Reason says why something could not be read, or is "".
	Reason string
}

// Row is a subscription with what was billed, what is known, and what to do.
type Row struct {
	Action Action `json:"action"`
	What   string `json:"what"`
	// Company is the directory's name of the customer, else that of the file.
	Company        string             `json:"company,omitempty"`
	Domain         string             `json:"domain,omitempty"`
	Tenant         string             `json:"tenant,omitempty"`
	TenantID       string             `json:"tenant_id"`
	SubscriptionID string             `json:"subscription_id"`
	Name           string             `json:"name,omitempty"`
	Currency       string             `json:"currency"`
	WithoutCredit  string             `json:"cost_without_credit"`
	WithCredit     string             `json:"cost_with_credit"`
	Excluded       string             `json:"cost_excluded,omitempty"`
	Lines          int                `json:"lines"`
	Link           answers.LinkState  `json:"link,omitempty"`
	PartnerID      string             `json:"partner_id,omitempty"`
	Verdict        answers.PECVerdict `json:"verdict,omitempty"`
	Why            string             `json:"why,omitempty"`
	RequestIDs     []string           `json:"arm_request_ids,omitempty"`
	without, with  Amount
	role           answers.PECSubscription
}

// Subscription names the subscription of a row.
func (r Row) Subscription() string { return cmp.Or(r.Name, r.SubscriptionID) }

// Reconcile joins a file with facts by tenant ID. The largest cost without
// credit comes first, within each currency.
func Reconcile(file File, facts map[string]Facts) []Row {
	rows := make([]Row, len(file.Subscriptions))
	for i, s := range file.Subscriptions {
		known, managed := facts[s.TenantID]
		rows[i] = join(s, known)
		decide(&rows[i], s, known, managed && known.Tenant != "")
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(b.without, a.without), cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.SubscriptionID, b.SubscriptionID))
	})
	return rows
}

func join(s *Subscription, known Facts) Row {
	row := Row{
		Company: cmp.Or(known.Company, s.Customer), Domain: known.Domain, Tenant: known.Tenant, TenantID: s.TenantID, SubscriptionID: s.SubscriptionID, Name: s.Name, Currency: s.Currency,
		WithCredit: s.WithCredit.String(), WithoutCredit: s.WithoutCredit.String(), Lines: s.Lines,
		Link: known.Link.State, PartnerID: string(known.Link.PartnerID), without: s.WithoutCredit, with: s.WithCredit,
	}
	if s.Excluded != 0 {
		row.Excluded = s.Excluded.String()
	}
	row.Why = known.Reason
	if known.Roles == nil {
		return row
	}
	if id := known.Roles.LinkRequestID; id != "" {
		row.RequestIDs = append(row.RequestIDs, id)
	}
	for _, r := range known.Roles.Rows {
		if r.SubscriptionID == s.SubscriptionID {
			row.role, row.Verdict, row.Why = r, r.Verdict, r.Why
			if r.RequestID != "" {
				row.RequestIDs = append(row.RequestIDs, r.RequestID)
			}
		}
	}
	return row
}

// linkTo is what is known of the link that matters: to the expected partner ID,
// not to it, or unknown.
type linkTo int

const (
	linkUnknown linkTo = iota
	linkToUs
	linkNotToUs
)

func linkOf(link answers.Link) linkTo {
	switch {
	case link.State == answers.LinkUnknown || link.State == "":
		return linkUnknown
	case link.State == answers.LinkLinked && !elsewhere(link):
		return linkToUs
	default:
		return linkNotToUs
	}
}

// elsewhere reports a link to another partner ID than the expected one.
func elsewhere(link answers.Link) bool {
	return link.State == answers.LinkLinked && link.MatchesExpected != nil && !*link.MatchesExpected
}

// decide says what to do.
func decide(row *Row, s *Subscription, known Facts, managed bool) {
	link := linkOf(known.Link)
	switch {
	case !managed:
		row.Action = NotManaged
	case s.WithoutCredit != 0:
		row.Action = missing(row.role, link, s.WithCredit != 0)
	case s.WithCredit != 0 && link == linkUnknown:
		row.Action = Unknown
	case s.WithCredit != 0 && link == linkNotToUs:
		row.Action = OthersCredit
	default:
		row.Action = InOrder
	}
	row.What = row.Action.Words()
	if elsewhere(known.Link) {
		row.What += fmt.Sprintf(" (linked to %s, expected %s)", known.Link.PartnerID, known.Link.ExpectedPartnerID)
	}
}

// lacking is what a subscription with cost and without credit lacks, by what is
// known of its role and of the link. What is unknown is never called missing.
func lacking(verdict answers.PECVerdict, link linkTo) Action {
	byLink, ok := map[answers.PECVerdict]map[linkTo]Action{
		answers.PECNotEligible: {linkUnknown: RoleMissing, linkToUs: RoleMissing, linkNotToUs: BothMissing},
		answers.PECEligible:    {linkUnknown: Unknown, linkToUs: OpenTicket, linkNotToUs: LinkMissing},
		answers.PECUnlisted:    {linkUnknown: Unknown, linkToUs: RoleUnlisted, linkNotToUs: LinkMissing},
	}[verdict]
	if !ok {
		byLink = map[linkTo]Action{linkUnknown: Unknown, linkToUs: Unknown, linkNotToUs: LinkMissing}
	}
	return byLink[link]
}

// missing refines it for a subscription that has both. A role that is held only
// below the subscription covers what lies there, and is missing elsewhere.
func missing(role answers.PECSubscription, link linkTo, credited bool) Action {
	action := lacking(role.Verdict, link)
	switch {
	case action == OpenTicket && role.Partial:
		return RoleMissing
	case action == OpenTicket && credited:
		return PartlyCredit
	}
	return action
}

// Total is what one action comes to in one currency.
type Total struct {
	Action        Action `json:"action"`
	Currency      string `json:"currency"`
	Subscriptions int    `json:"subscriptions"`
	WithoutCredit string `json:"cost_without_credit"`
	WithCredit    string `json:"cost_with_credit"`
}

// Totals sums rows up by action and currency.
func Totals(rows []Row) []Total {
	type sum struct {
		n             int
		without, with Amount
	}
	sums := map[[2]string]*sum{}
	for _, row := range rows {
		key := [2]string{row.Currency, string(row.Action)}
		if sums[key] == nil {
			sums[key] = &sum{}
		}
		sums[key].n++
		sums[key].without = sums[key].without.add(row.without)
		sums[key].with = sums[key].with.add(row.with)
	}
	var totals []Total
	for key, s := range sums {
		totals = append(totals, Total{Action(key[1]), key[0], s.n, s.without.String(), s.with.String()})
	}
	slices.SortFunc(totals, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(slices.Index(Actions(), a.Action), slices.Index(Actions(), b.Action)))
	})
	return totals
}
