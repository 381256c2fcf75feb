package schemas

func intentsDutch() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"staat onze partnerkoppeling bij de klant", "welk MPN ID is gekoppeld", "controleer de PAL-status",
			"staan wij geregistreerd als partner", "laat de partnerlink zien", "welk partnernummer staat in deze tenant",
			"is dit het gekoppelde partner-ID", "zoek de partner met dit nummer", "klopt dit MPN-nummer met het gekoppelde",
		},
		ToolRegisterPartner: {
			"registreer ons partner-ID", "koppel ons MPN-nummer aan de tenant", "zet ons nummer bij de klant", "stel de PAL in", "voeg onze partnercode toe",
		},
		ToolUpdatePartner: {
			"wijzig het partner-ID", "vervang het oude MPN-nummer door het nieuwe", "zet de koppeling over naar het nieuwe nummer", "corrigeer het verkeerde partner-ID",
		},
		ToolRemovePartner: {
			"verwijder onze partnerkoppeling", "haal ons nummer weg bij de klant", "ontkoppel ons van deze tenant", "verwijder de PAL", "verbreek de koppeling",
		},
		ToolAuditPartnerLinks: {
			"welke van onze klanten zijn niet gekoppeld", "controleer de partnerkoppelingen van alle tenants", "bij welke klanten ontbreekt onze PAL",
			"overzicht van klanten zonder koppeling", "welke klanten hebben een ander partner-ID", "controleer de koppelingen van alle klanten",
		},
		ToolListProviderOperations: {
			"welke bewerkingen biedt de ManagementPartner-provider", "welke machtigingen heeft een rol nodig voor de partnerkoppeling", "toon de acties van de provider",
		},
		ToolListTenants: {
			"welke klanten beheren we", "geef een lijst van onze tenants", "wat is de tenant-ID van de klant", "bij welke tenants kunnen onze inloggegevens",
		},
		ToolFindPartnerTool: {"welke tool heb ik nodig", "wat kun je", "help me het juiste commando te vinden"},
		ToolGetApproval:     {"is de goedkeuring al gegeven", "wat is de status van de goedkeuring", "heeft iemand de aanvraag goedgekeurd"},
		ToolEnsurePartnerLinks: {
			"registreer onze partner-ID bij alle klanten", "koppel onze MPN-ID in elke tenant zonder koppeling", "stel PAL overal in waar het ontbreekt",
		},
		ToolTransitionPartner: {
			"verplaats alle koppelingen van de oude naar de nieuwe partner-ID", "we zijn gefuseerd, vervang de oude MPN-ID bij alle klanten", "wijzig het partnernummer in alle tenants",
		},
	}
}
