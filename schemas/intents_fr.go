package schemas

func intentsFrench() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"notre lien partenaire est-il en place chez le client", "quel identifiant MPN est lié", "vérifie le statut du PAL",
			"sommes-nous enregistrés comme partenaire", "montre-moi le lien partenaire", "quel est le partenaire déclaré dans ce locataire",
			"est-ce que cet ID est l'identifiant partenaire lié", "recherche le partenaire par son numéro", "ce numéro MPN correspond-il à celui qui est lié",
		},
		ToolRegisterPartner: {
			"enregistre notre identifiant partenaire", "associe notre numéro MPN au locataire", "ajoute notre numéro chez le client",
			"mets en place le lien PAL", "rattache-nous à ce client", "déclare notre ID partenaire",
		},
		ToolUpdatePartner: {
			"change l'identifiant partenaire", "remplace l'ancien numéro MPN par le nouveau", "fais passer le lien sur le nouveau numéro",
			"corrige le mauvais ID partenaire", "mets à jour le lien partenaire",
		},
		ToolRemovePartner: {
			"supprime notre lien partenaire", "retire notre identifiant du client", "dissocie-nous de ce locataire", "enlève le PAL", "résilie le lien",
		},
		ToolAuditPartnerLinks: {
			"lesquels de nos clients ne sont pas liés", "audite les liens partenaire de tous les locataires", "chez quels clients notre PAL manque-t-il",
			"rapport des clients sans lien partenaire", "quels clients ont un autre identifiant partenaire", "vérifie les liens de tous les clients",
		},
		ToolListProviderOperations: {
			"quelles opérations propose le fournisseur ManagementPartner", "quelles autorisations faut-il pour gérer le lien partenaire", "liste les actions du fournisseur",
		},
		ToolListTenants: {
			"quels clients gérons-nous", "liste nos locataires", "quel est l'identifiant de locataire du client", "à quels tenants notre compte a-t-il accès",
		},
		ToolFindPartnerTool: {"quel outil me faut-il", "que peux-tu faire", "aide-moi à trouver la bonne commande"},
		ToolGetApproval:     {"l'approbation a-t-elle été donnée", "où en est l'approbation", "quelqu'un a-t-il approuvé la demande"},
		ToolEnsurePartnerLinks: {
			"enregistre notre identifiant partenaire chez tous les clients", "associe notre MPN dans chaque locataire sans lien", "mets en place le PAL partout où il manque",
		},
		ToolTransitionPartner: {
			"déplace tous les liens de l'ancien identifiant partenaire vers le nouveau", "nous avons fusionné, remplace l'ancien MPN chez tous les clients", "change le numéro de partenaire dans tous les locataires",
		},
	}
}
