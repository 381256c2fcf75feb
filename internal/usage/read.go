package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// Other counts lines without a subscription.
	Other int
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
	rows.Only(r.columns.read()...)
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
		r.file.Other++
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
