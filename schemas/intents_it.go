package schemas

func intentsItalian() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"il nostro collegamento partner è attivo presso il cliente", "quale MPN ID è collegato", "controlla lo stato del PAL",
			"risultiamo registrati come partner", "mostrami il collegamento partner", "quale codice partner c'è nel tenant",
			"è questo l'ID partner collegato", "cerca il partner con questo codice", "questo MPN corrisponde a quello collegato",
		},
		ToolRegisterPartner: {
			"registra il nostro ID partner", "collega il nostro MPN al tenant", "aggiungi il nostro codice al cliente",
			"imposta il collegamento PAL", "associa il nostro identificativo al cliente",
		},
		ToolUpdatePartner: {
			"cambia l'ID partner", "sostituisci il vecchio MPN con il nuovo", "sposta il collegamento sul nuovo codice", "correggi l'ID partner sbagliato", "aggiorna il collegamento",
		},
		ToolRemovePartner: {
			"rimuovi il nostro collegamento partner", "togli il nostro codice dal cliente", "scollegaci da questo tenant", "elimina il PAL", "cancella l'associazione",
		},
		ToolAuditPartnerLinks: {
			"quali dei nostri clienti non sono collegati", "controlla i collegamenti partner di tutti i tenant", "in quali clienti manca il nostro PAL",
			"rapporto dei clienti senza collegamento", "quali clienti hanno un altro ID partner", "verifica i collegamenti di tutti i clienti",
		},
		ToolListProviderOperations: {
			"quali operazioni offre il provider ManagementPartner", "quali autorizzazioni servono a un ruolo per il collegamento partner", "elenca le azioni del provider",
		},
		ToolListTenants: {
			"quali clienti gestiamo", "elenca i nostri tenant", "qual è l'ID tenant del cliente", "quali tenant raggiunge la nostra credenziale",
		},
		ToolFindPartnerTool: {"quale strumento mi serve", "cosa puoi fare", "aiutami a trovare il comando giusto"},
		ToolGetApproval:     {"l'approvazione è stata data", "a che punto è l'approvazione", "qualcuno ha approvato la richiesta"},
		ToolEnsurePartnerLinks: {
			"registra il nostro ID partner presso tutti i clienti", "collega il nostro MPN in ogni tenant senza collegamento", "configura il PAL ovunque manchi",
		},
		ToolTransitionPartner: {
			"sposta tutti i collegamenti dal vecchio ID partner al nuovo", "ci siamo fusi, sostituisci il vecchio MPN presso tutti i clienti", "cambia il numero partner in tutti i tenant",
		},
	}
}
