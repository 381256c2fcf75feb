package schemas

func intentsSpanish() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"está activo nuestro vínculo de partner en el cliente", "qué MPN ID está vinculado", "comprueba el estado del PAL",
			"estamos registrados como partner", "muéstrame el vínculo de socio", "qué número de partner figura en el inquilino",
			"es este el ID de partner vinculado", "busca el partner con este número", "coincide este MPN con el que está vinculado",
		},
		ToolRegisterPartner: {
			"registra nuestro ID de partner", "vincula nuestro MPN al inquilino", "añade nuestro número en el cliente",
			"da de alta el vínculo PAL", "asocia nuestro identificador al cliente", "pon nuestro número de socio",
		},
		ToolUpdatePartner: {
			"cambia el ID de partner", "reemplaza el MPN antiguo por el nuevo", "pasa el vínculo al nuevo número",
			"corrige el ID de socio equivocado", "actualiza el vínculo de partner",
		},
		ToolRemovePartner: {
			"elimina nuestro vínculo de partner", "quita nuestro número del cliente", "desvincúlanos de este inquilino", "borra el PAL", "da de baja el vínculo",
		},
		ToolAuditPartnerLinks: {
			"cuáles de nuestros clientes no están vinculados", "audita los vínculos de partner de todos los inquilinos", "en qué clientes falta nuestro PAL",
			"informe de los clientes sin vínculo", "qué clientes tienen otro ID de partner", "revisa los vínculos de todos los clientes",
		},
		ToolListProviderOperations: {
			"qué operaciones ofrece el proveedor ManagementPartner", "qué permisos necesita un rol para el vínculo de partner", "lista las acciones del proveedor",
		},
		ToolListTenants: {
			"qué clientes gestionamos", "lista nuestros inquilinos", "cuál es el ID de inquilino del cliente", "a qué tenants llega nuestra credencial",
		},
		ToolFindPartnerTool: {"qué herramienta necesito", "qué puedes hacer", "ayúdame a encontrar el comando"},
		ToolGetApproval:     {"¿ya se ha dado la aprobación?", "cuál es el estado de la aprobación", "¿alguien ha aprobado la solicitud?"},
		ToolEnsurePartnerLinks: {
			"registra nuestro ID de socio en todos los clientes", "vincula nuestro MPN en cada inquilino sin vínculo", "configura el PAL en todas partes donde falte",
		},
		ToolTransitionPartner: {
			"mueve todos los vínculos del ID de socio antiguo al nuevo", "nos fusionamos, reemplaza el MPN antiguo en todos los clientes", "cambia el número de socio en todos los inquilinos",
		},
	}
}
