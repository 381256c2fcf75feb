package usage

import (
	"fmt"
	"strings"
)

// columns are the indexes of the cells that are read; -1 for a missing one.
type columns struct {
	tenant, customer, subscription, name  int
	credit, cost, currency                int
	publisher, publisherType, pricing, of int
	// percent is whether credit is a percentage, and not true or false.
	percent bool
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
	first := func(names ...string) int {
		for _, name := range names {
			if i, ok := at[name]; ok {
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

// read lists the places of the cells that are read.
func (c columns) read() []int {
	var list []int
	for _, i := range []int{c.tenant, c.customer, c.subscription, c.name, c.credit, c.cost, c.currency, c.publisher, c.publisherType, c.pricing, c.of} {
		if i >= 0 {
			list = append(list, i)
		}
	}
	return list
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
