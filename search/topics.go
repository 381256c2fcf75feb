package search

import "mcp-partner/schemas"

// topic is something that people ask for here and that is done elsewhere.
type topic struct {
	name, reason string
	use          []schemas.UseInstead
}

// Places where other things are done.
func arm(what string) schemas.UseInstead {
	return schemas.UseInstead{Name: "Azure Resource Manager", WhatFor: what}
}

func entra(what string) schemas.UseInstead {
	return schemas.UseInstead{Name: "Microsoft Entra ID", WhatFor: what}
}

func partnerCenter(what string) schemas.UseInstead {
	return schemas.UseInstead{Name: "Partner Center", WhatFor: what}
}

func other(name, what string) schemas.UseInstead {
	return schemas.UseInstead{Name: name, WhatFor: what}
}

// topicOf looks a topic up. The first of a tie in the list below wins, so near
// misses come first.
func topicOf(name string) (topic, bool) {
	for _, t := range topics() {
		if t.name == name {
			return t, true
		}
	}
	return topic{}, false
}

func topics() []topic {
	return append(nearMisses(), otherProducts()...)
}

// nearMisses share words with the partner link and are something else.
func nearMisses() []topic {
	return []topic{
		{"dpor", "Digital Partner of Record is another way of attribution, set per subscription by the customer; it is not the Partner Admin Link.",
			[]schemas.UseInstead{partnerCenter("which associations count and where they are managed")}},
		{"cpor", "Claiming Partner of Record is claimed with a proof of execution; it is not the Partner Admin Link.",
			[]schemas.UseInstead{partnerCenter("claims and their state, under Incentives")}},
		{"cua", "Customer Usage Attribution tags deployments with a GUID; the Partner Admin Link has a partner ID of digits.",
			[]schemas.UseInstead{arm("the tracking GUID in a deployment or template"), partnerCenter("registering the GUID and its reports")}},
		{"provider_registration", "Registering a resource provider in a subscription is not linking a partner; a partner link needs none.",
			[]schemas.UseInstead{arm("az provider register, Register-AzResourceProvider")}},
		{"private_link", "Network links and endpoints are Azure networking, not partner links.",
			[]schemas.UseInstead{other("Azure Private Link", "private endpoints and services"), arm("networks, peerings, firewalls")}},
		{"web_link", "That link is a web address or belongs to another product; the links here join a partner ID to an identity in a tenant.",
			[]schemas.UseInstead{}},
		{"other_cloud", "Partner programmes of other vendors are not known here.",
			[]schemas.UseInstead{other("The vendor's partner portal", "its own partner IDs and registrations")}},
	}
}

func otherProducts() []topic {
	return append([]topic{
		{"billing", "Costs, invoices and payouts are not known here; a link attributes, it does not bill.",
			[]schemas.UseInstead{other("Microsoft Cost Management", "cost, budgets and usage"), partnerCenter("partner invoices, earned credit and incentive payouts")}},
		{"roles", "Access is not granted here; the partner link gives no rights.",
			[]schemas.UseInstead{arm("Azure role assignments (Access control)"), entra("directory roles")}},
		{"identity", "Users, apps and their secrets are not managed here.",
			[]schemas.UseInstead{entra("users, app registrations, sign-in and secrets")}},
		{"partner_center", "Contracts, relationships and memberships are not managed here.",
			[]schemas.UseInstead{partnerCenter("customers, agreements, GDAP, offers, partner profile")}},
		{"provisioning", "Azure resources are not created or run here.",
			[]schemas.UseInstead{arm("creating, changing and deleting resources")}},
		{"subscription", "Subscriptions are not managed here; a partner link has no subscription.",
			[]schemas.UseInstead{arm("subscriptions and quotas"), partnerCenter("subscriptions sold by a partner")}},
		{"policy", "Rules for resources are not set here.",
			[]schemas.UseInstead{other("Azure Policy", "policies, initiatives and their compliance")}},
	}, serviceProducts()...)
}

func serviceProducts() []topic {
	return []topic{
		{"advisor", "Recommendations, alerts and security findings are not known here.",
			[]schemas.UseInstead{other("Azure Advisor", "recommendations"), other("Azure Monitor", "alerts and logs"), other("Microsoft Defender for Cloud", "security findings")}},
		{"lighthouse", "Delegating resources is not done here.",
			[]schemas.UseInstead{other("Azure Lighthouse", "delegated access to customers' resources")}},
		{"productivity", "Licences, mail and files are not managed here.",
			[]schemas.UseInstead{other("Microsoft 365 admin center", "licences, mailboxes, Teams")}},
		{"support", "Support requests are not opened here.",
			[]schemas.UseInstead{other("Azure portal, Help + support", "support requests and service health")}},
		{"server", "The list of tenants and this program's own settings are kept by a person at the command line, not by a tool.",
			[]schemas.UseInstead{other("mcp-partner tenants", "adding, importing, changing and removing tenants")}},
		{"chat", "That has nothing to do with partner links.", []schemas.UseInstead{}},
	}
}
