package schemas

func intentsChinese() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"客户那里我们的合作伙伴链接设置好了吗", "关联的是哪个MPN ID", "检查PAL状态", "我们登记为合作伙伴了吗", "查看合作伙伴管理链接", "这个租户绑定的合作伙伴编号是多少",
			"这个ID是不是已关联的合作伙伴ID", "查一下这个编号的合作伙伴", "这个MPN和已绑定的一致吗",
		},
		ToolRegisterPartner: {
			"注册我们的合作伙伴ID", "把我们的MPN关联到租户", "在客户那里添加我们的编号", "设置合作伙伴管理链接", "建立PAL", "绑定我们的合作伙伴编号",
		},
		ToolUpdatePartner: {
			"更改合作伙伴ID", "把旧的MPN换成新的", "将链接改到新的编号", "更正错误的合作伙伴ID", "更新合作伙伴链接",
		},
		ToolRemovePartner: {
			"删除我们的合作伙伴链接", "把我们的编号从客户那里去掉", "解除关联", "移除PAL", "取消与该租户的绑定",
		},
		ToolAuditPartnerLinks: {
			"哪些客户没有关联", "审核所有租户的合作伙伴链接", "哪些客户缺少我们的PAL",
			"所有客户的链接报告", "哪些客户关联了别的合作伙伴ID",
		},
		ToolListProviderOperations: {"ManagementPartner提供程序有哪些操作", "管理合作伙伴链接的角色需要什么权限", "列出提供程序的操作"},
		ToolListTenants:            {"我们管理哪些客户", "列出我们的租户", "这个客户的租户ID是多少", "我们的凭据能访问哪些租户"},
		ToolFindPartnerTool:        {"我该用哪个工具", "你能做什么", "帮我找到合适的命令"},
		ToolGetApproval:            {"审批通过了吗", "审批状态如何", "有人批准了吗"},
		ToolEnsurePartnerLinks: {
			"在所有客户中注册我们的合作伙伴ID", "把我们的MPN ID关联到每个没有链接的租户", "在所有缺少PAL的租户中设置PAL",
		},
		ToolTransitionPartner: {
			"把所有链接从旧的合作伙伴ID移到新的ID", "我们合并了,把所有客户的旧MPN ID换成新的", "更改所有租户的合作伙伴编号",
		},
	}
}
