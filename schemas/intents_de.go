package schemas

func intentsGerman() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"ist unsere Partnerverknüpfung beim Kunden aktiv", "welche MPN-ID ist hinterlegt", "prüfe den PAL-Status",
			"sind wir als Partner eingetragen", "zeig mir den Partnerlink", "welche Partnernummer steht im Mandanten", "wer ist der eingetragene Partner",
			"ist das die verknüpfte Partner-ID", "schau nach, ob diese MPN-ID hinterlegt ist", "stimmt diese Partnernummer mit der verknüpften überein", "suche den Partner mit dieser ID",
		},
		ToolRegisterPartner: {
			"registriere unsere Partner-ID", "verknüpfe unsere MPN-ID mit dem Mandanten", "trag unsere Nummer beim Kunden ein",
			"richte den Partner Admin Link ein", "ordne uns dem Kunden zu", "hinterlege unsere Partnernummer",
		},
		ToolUpdatePartner: {
			"ändere die Partner-ID", "ersetze die alte MPN-ID durch die neue", "stell die Verknüpfung auf die neue Nummer um",
			"tausche die Partnernummer aus", "korrigiere die falsche Partner-ID",
		},
		ToolRemovePartner: {
			"entferne unsere Partnerverknüpfung", "lösche den PAL", "trenne uns vom Kunden", "nimm unsere Nummer beim Kunden raus", "hebe die Verknüpfung auf",
		},
		ToolAuditPartnerLinks: {
			"welche unserer Kunden sind nicht verknüpft", "prüfe die Partnerverknüpfung bei allen Mandanten", "bei welchen Kunden fehlt unser PAL",
			"Übersicht über alle Partnerlinks", "wo ist eine fremde Partner-ID hinterlegt", "Bericht über alle Kunden ohne Verknüpfung",
		},
		ToolListProviderOperations: {
			"welche Operationen bietet der Anbieter ManagementPartner", "welche Berechtigungen braucht eine Rolle für den Partnerlink", "liste die Aktionen des Providers",
		},
		ToolListTenants: {
			"welche Kunden verwalten wir", "liste unsere Mandanten", "wie lautet die Mandanten-ID des Kunden", "welche Tenants erreicht unser Zugang", "zeig alle Kunden",
		},
		ToolFindPartnerTool: {"welches Werkzeug brauche ich", "was kannst du", "hilf mir, das richtige Tool zu finden"},
		ToolGetApproval:     {"wurde die Freigabe schon erteilt", "wie steht es um die Genehmigung", "ist die Änderung schon freigegeben"},
		ToolEnsurePartnerLinks: {
			"registriere unsere Partner-ID bei allen Kunden", "verknüpfe unsere MPN-ID in jedem Mandanten ohne Verknüpfung", "richte PAL überall ein, wo es fehlt", "trag unsere Nummer bei sämtlichen Kunden ein",
		},
		ToolTransitionPartner: {
			"stell alle Verknüpfungen von der alten auf die neue Partner-ID um", "wir haben fusioniert, ersetze die alte MPN-ID bei allen Kunden", "ändere die Partnernummer in allen Mandanten", "zieh alle Links auf die neue Nummer um",
		},
	}
}
