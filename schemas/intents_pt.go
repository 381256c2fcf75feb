package schemas

func intentsPortuguese() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"o nosso vínculo de parceiro está ativo no cliente", "qual MPN ID está vinculado", "verifique o status do PAL",
			"estamos registrados como parceiro", "mostre o link de parceiro", "qual número de parceiro consta no tenant",
			"este é o ID de parceiro vinculado", "procure o parceiro com este número", "este MPN corresponde ao que está vinculado",
		},
		ToolRegisterPartner: {
			"registre o nosso ID de parceiro", "vincule o nosso MPN ao tenant", "adicione o nosso número no cliente",
			"crie o vínculo PAL", "associe o nosso identificador ao cliente", "coloque o nosso número de parceiro",
		},
		ToolUpdatePartner: {
			"altere o ID de parceiro", "substitua o MPN antigo pelo novo", "troque o número vinculado pelo novo", "corrija o ID de parceiro errado", "mude o vínculo para o novo número",
		},
		ToolRemovePartner: {
			"remova o nosso vínculo de parceiro", "tire o nosso número do cliente", "desvincule-nos deste tenant", "apague o PAL", "exclua a associação",
		},
		ToolAuditPartnerLinks: {
			"quais dos nossos clientes não estão vinculados", "audite os vínculos de parceiro de todos os locatários", "em quais clientes falta o nosso PAL",
			"relatório dos clientes sem vínculo", "quais clientes têm outro ID de parceiro", "verifique os vínculos de todos os clientes",
		},
		ToolListProviderOperations: {
			"quais operações o provedor ManagementPartner oferece", "quais permissões uma função precisa para o vínculo de parceiro", "liste as ações do provedor",
		},
		ToolListTenants: {
			"quais clientes gerenciamos", "liste os nossos tenants", "qual é o ID do locatário do cliente", "que tenants a nossa credencial alcança",
		},
		ToolFindPartnerTool: {"de que ferramenta preciso", "o que você pode fazer", "ajude-me a achar o comando certo"},
		ToolGetApproval:     {"a aprovação já foi dada", "qual é o estado da aprovação", "alguém já aprovou o pedido"},
		ToolEnsurePartnerLinks: {
			"registe o nosso ID de parceiro em todos os clientes", "associe o nosso MPN em cada locatário sem ligação", "configure o PAL em todo o lado onde falta",
		},
		ToolTransitionPartner: {
			"mova todas as ligações do ID de parceiro antigo para o novo", "fizemos uma fusão, substitua o MPN antigo em todos os clientes", "altere o número de parceiro em todos os locatários",
		},
	}
}
