package tools

import (
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// forAgents makes rows short: what an agent decides by stays, what is the same in
// all of them is said once, and why a row is unknown stands in the causes. IDs,
// versions and times of reading are in check_partner_link and in reports.
func forAgents(rows []schemas.AuditRow) (*schemas.AuditCommon, []schemas.AuditRow) {
	if len(rows) == 0 {
		return nil, rows
	}
	common := &schemas.AuditCommon{
		Credential: rows[0].Credential, Cloud: rows[0].Cloud, ExpectedPartnerID: rows[0].ExpectedPartnerID,
		Owner: rows[0].Owner, Labels: rows[0].Labels,
	}
	for _, row := range rows[1:] {
		common.Credential = same(common.Credential, row.Credential)
		common.Cloud = same(common.Cloud, row.Cloud)
		common.ExpectedPartnerID = same(common.ExpectedPartnerID, row.ExpectedPartnerID)
		common.Owner = same(common.Owner, row.Owner)
		if !slices.Equal(common.Labels, row.Labels) {
			common.Labels = nil
		}
	}
	short := make([]schemas.AuditRow, len(rows))
	for i, row := range rows {
		short[i] = shortRow(row, common)
	}
	return common, short
}

func same(common, own string) string {
	if common == own {
		return common
	}
	return ""
}

// shortRow is a row without what is common to all, and without what only a
// report needs.
func shortRow(row schemas.AuditRow, common *schemas.AuditCommon) schemas.AuditRow {
	short := schemas.AuditRow{
		Company: row.Company, Domain: row.Domain, Tenant: row.Tenant, State: row.State, Stale: row.Stale,
		PartnerID: row.PartnerID, PartnerName: row.PartnerName, UpdatedTime: toTheSecond(row.UpdatedTime), ExternalID: row.ExternalID, PECRoles: row.PECRoles,
	}
	if row.Problem != nil {
		short.Reason = row.Problem.Code
	}
	if common.Credential == "" {
		short.Credential = row.Credential
	}
	if common.Cloud == "" {
		short.Cloud = row.Cloud
	}
	if common.ExpectedPartnerID == "" {
		short.ExpectedPartnerID = row.ExpectedPartnerID
	}
	if common.Owner == "" {
		short.Owner = row.Owner
	}
	if common.Labels == nil {
		short.Labels = row.Labels
	}
	return short
}

// toTheSecond cuts the fraction off a time in RFC 3339 in UTC.
func toTheSecond(at string) string {
	second, fraction, found := strings.Cut(at, ".")
	if !found || !strings.HasSuffix(fraction, "Z") {
		return at
	}
	return second + "Z"
}
