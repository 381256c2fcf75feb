// Package usage reads what Microsoft billed for Azure usage, and joins it with
// partner links and roles: which subscriptions have partner earned credit, and
// what is missing in the others.
//
// It takes Partner Center's daily rated usage and Cost Management's exports of a
// partner's billing scope. A file is read as a stream; only sums are kept.
package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/csvfile"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
)

// mostSubscriptions bounds what is kept of a file.
const mostSubscriptions = 500_000

// cancelEvery is after how many lines it is looked whether anybody waits.
const cancelEvery = 1 << 14

// Subscription is what a file says of one subscription in one currency.
type Subscription struct {
	TenantID, SubscriptionID string
	// Customer and Name are sanitized text.
	Customer, Name, Currency string
	// WithCredit and WithoutCredit are costs of usage; Excluded is what never has
	// credit, such as the marketplace.
	WithCredit, WithoutCredit, Excluded Amount
	Lines                               int
}

// File is the sums of one file.
type File struct {
	Subscriptions []*Subscription
	Lines         int
}

// reading is a file on its way.
type reading struct {
	columns columns
	comma   bool
	file    File
	known   map[string]*Subscription
	last    *Subscription
	key     []byte
}

// Read sums a file up. An error names the line and what is wrong with it.
func Read(ctx context.Context, in io.Reader) (File, error) {
	rows, err := csvfile.NewReader(in)
	if err != nil {
		return File{}, err
	}
	r := &reading{known: map[string]*Subscription{}, comma: rows.Separator != ','}
	if r.columns, err = find(rows.Header()); err != nil {
		return File{}, err
	}
	rows.Only(r.columns.used...)
	for {
		cells, line, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return r.file, nil
		}
		if err == nil {
			err = r.add(cells, line)
		}
		if err == nil && r.file.Lines%cancelEvery == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return File{}, err
		}
	}
}

func (r *reading) add(cells []string, line int) error {
	c := r.columns
	r.file.Lines++
	amount, err := parseAmount(cells[c.cost], r.comma)
	if err != nil {
		return fmt.Errorf("line %d: the cost %q is %w", line, untrusted.Sanitize(cells[c.cost]), err)
	}
	sub, err := r.subscription(cells, line)
	if err != nil || sub == nil {
		return err
	}
	credited, err := c.credited(cells[c.credit])
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	sub.Lines++
	switch {
	case credited:
		sub.WithCredit = sub.WithCredit.add(amount)
	case c.excluded(cells):
		sub.Excluded = sub.Excluded.add(amount)
	default:
		sub.WithoutCredit = sub.WithoutCredit.add(amount)
	}
	return nil
}

// subscription finds the sums of a line, or nil for a line that is about none.
// Lines of one subscription mostly stand together.
func (r *reading) subscription(cells []string, line int) (*Subscription, error) {
	c := r.columns
	tenant, id, currency := cells[c.tenant], cells[c.subscription], cells[c.currency]
	id = id[strings.LastIndexByte(id, '/')+1:] // some files have its path
	if l := r.last; l != nil && l.SubscriptionID == id && l.TenantID == tenant && l.Currency == currency {
		return l, nil
	}
	r.key = append(append(append(append(append(r.key[:0], tenant...), 0), id...), 0), currency...)
	if sub, ok := r.known[string(r.key)]; ok {
		r.last = sub
		return sub, nil
	}
	if id == "" || !naming.IsGUID(id) {
		return nil, nil
	}
	if !naming.IsGUID(tenant) {
		return nil, fmt.Errorf("line %d: the customer %q is not a tenant ID", line, untrusted.Sanitize(tenant))
	}
	return r.enter(cells, tenant, id, currency)
}

// enter keeps a subscription. Spellings that differ in case are one.
func (r *reading) enter(cells []string, tenant, id, currency string) (*Subscription, error) {
	if len(r.file.Subscriptions) >= mostSubscriptions {
		return nil, fmt.Errorf("the file is about more than %d subscriptions; split it by customer", mostSubscriptions)
	}
	key := string(r.key)
	folded := strings.ToLower(tenant) + "\x00" + strings.ToLower(id) + "\x00" + strings.ToUpper(currency)
	sub, ok := r.known[folded]
	if !ok {
		sub = &Subscription{
			TenantID: strings.Clone(strings.ToLower(tenant)), SubscriptionID: strings.Clone(strings.ToLower(id)), Currency: untrusted.Sanitize(strings.ToUpper(currency)),
			Customer: text(cells, r.columns.customer), Name: text(cells, r.columns.name),
		}
		r.file.Subscriptions = append(r.file.Subscriptions, sub)
		r.known[folded] = sub
	}
	r.known[key], r.last = sub, sub
	return sub, nil
}

// text is a sanitized copy of a cell.
func text(cells []string, at int) string {
	if at < 0 {
		return ""
	}
	return untrusted.Sanitize(cells[at])
}

// credited reads whether credit was applied.
func (c columns) credited(cell string) (bool, error) {
	if c.percent {
		percent, err := parseAmount(strings.TrimSuffix(cell, "%"), true)
		if cell == "" {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("PartnerEarnedCreditPercentage is %q; it must be a number", untrusted.Sanitize(cell))
		}
		return percent > 0, nil
	}
	switch strings.ToLower(cell) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no", "":
		return false, nil
	default:
		return false, fmt.Errorf("PartnerEarnedCreditApplied is %q; it must be True or False", untrusted.Sanitize(cell))
	}
}

// excluded reports lines that never have credit: other publishers,
// reservations, savings plans, Spot, and purchases.
func (c columns) excluded(cells []string) bool {
	is := func(at int, words ...string) bool {
		return at >= 0 && slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(cells[at], word) })
	}
	other := c.publisher >= 0 && c.publisherType < 0 && cells[c.publisher] != "" && !strings.HasPrefix(strings.ToLower(cells[c.publisher]), "microsoft")
	return other || is(c.publisherType, "Marketplace", "AWS") || is(c.pricing, "Reservation", "SavingsPlan", "Savings Plan", "Spot") || is(c.of, "Purchase", "UnusedReservation", "UnusedSavingsPlan")
}

// columns are the indexes of the cells that are read; -1 for a missing one.
type columns struct {
	tenant, customer, subscription, name  int
	credit, cost, currency                int
	publisher, publisherType, pricing, of int
	// percent is whether credit is a percentage, and not true or false.
	percent bool
	// used are all of them that are there.
	used []int
}

// find looks columns up by name, whatever their case and signs.
func find(header []string) (columns, error) {
	at := map[string]int{}
	for i, name := range header {
		key := simple(name)
		if _, twice := at[key]; !twice {
			at[key] = i
		}
	}
	var used []int
	first := func(names ...string) int {
		for _, name := range names {
			if i, ok := at[name]; ok {
				used = append(used, i)
				return i
			}
		}
		return -1
	}
	c := columns{
		tenant: first("customertenantid", "customerid"), customer: first("customername"),
		subscription: first("entitlementid", "subscriptionguid", "subscriptionid"), name: first("entitlementdescription", "subscriptionname"),
		cost: first("billingpretaxtotal", "costinbillingcurrency", "pretaxcost", "cost"), currency: first("billingcurrency", "billingcurrencycode", "currency"),
		publisher: first("publishername"), publisherType: first("publishertype"), pricing: first("pricingmodel"), of: first("chargetype"),
		credit: first("partnerearnedcreditpercentage"), percent: true,
	}
	if c.credit < 0 {
		c.credit, c.percent = first("partnerearnedcreditapplied"), false
	}
	c.used = used
	return c, c.check()
}

// check refuses a file without what the question needs.
func (c columns) check() error {
	for _, needed := range []struct {
		at   int
		name string
	}{
		{c.tenant, "CustomerId or CustomerTenantId"}, {c.subscription, "EntitlementId or SubscriptionId"},
		{c.credit, "PartnerEarnedCreditPercentage or PartnerEarnedCreditApplied"}, {c.cost, "BillingPreTaxTotal or CostInBillingCurrency"},
		{c.currency, "BillingCurrency"},
	} {
		if needed.at < 0 {
			return fmt.Errorf("the file has no column %s; export the daily rated usage from Partner Center, or the cost of the partner's billing scope from Cost Management", needed.name)
		}
	}
	return nil
}

func simple(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return -1
		}
	}, name)
}

// Amount is money in hundred-millionths of its currency: sums are the same, in
// whatever order lines come.
type Amount int64

const unit = 100_000_000

var errAmount = errors.New("not an amount such as 12.34")

// parseAmount reads a decimal number. Digits behind the eighth are rounded.
// comma is whether a comma may be the decimal sign.
func parseAmount(text string, comma bool) (Amount, error) {
	if comma && strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	if strings.ContainsAny(text, "xX_pPnN") { // what Go reads and no invoice writes
		return 0, errAmount
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > 9e10 {
		return 0, errAmount
	}
	return Amount(math.Round(f * unit)), nil
}

// add adds two amounts, and stays at the largest where their sum is larger.
func (a Amount) add(b Amount) Amount {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum > 0:
		return math.MinInt64
	}
	return sum
}

// String writes an amount with two digits behind the point.
func (a Amount) String() string {
	return strconv.FormatFloat(float64(a)/unit, 'f', 2, 64)
}
