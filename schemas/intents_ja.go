package schemas

func intentsJapanese() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"顧客にパートナーリンクは設定されていますか", "どのMPN IDがリンクされていますか", "PALの状態を確認して",
			"弊社はパートナーとして登録されていますか", "パートナー管理リンクを表示", "このテナントのパートナー番号は何ですか",
		},
		ToolGetPartner: {"このIDはリンクされているパートナーIDですか", "この番号のパートナーを調べて", "このMPN IDは登録済みのものと一致しますか"},
		ToolRegisterPartner: {
			"弊社のパートナーIDを登録して", "MPN IDをテナントに紐付けて", "パートナー管理リンクを設定して", "お客様に弊社の番号を追加して", "PALを作成",
		},
		ToolUpdatePartner: {
			"パートナーIDを変更して", "古いMPN IDを新しいものに置き換えて", "リンクを新しい番号に切り替えて", "間違ったパートナーIDを修正", "パートナー番号を更新",
		},
		ToolRemovePartner: {
			"パートナーリンクを削除して", "顧客から弊社の番号を外して", "紐付けを解除して", "PALを消して", "関連付けを取り消す",
		},
		ToolAuditPartnerLinks: {
			"リンクされていない顧客はどこですか", "全テナントのパートナーリンクを監査して", "PALが設定されていない顧客の一覧",
			"他社のパートナーIDになっている顧客は", "全顧客のリンク状況のレポート",
		},
		ToolListProviderOperations: {"ManagementPartnerプロバイダーの操作一覧", "パートナーリンクに必要な権限は何ですか", "プロバイダーのアクションを一覧表示"},
		ToolListTenants:            {"管理している顧客を教えて", "テナントの一覧を表示", "顧客のテナントIDは何ですか", "資格情報でアクセスできるテナントは"},
		ToolFindPartnerTool:        {"どのツールを使えばいいですか", "何ができますか", "適切なコマンドを探して"},
		ToolGetApproval:            {"承認はもう下りましたか", "承認の状態は", "誰か承認しましたか"},
		ToolEnsurePartnerLinks: {
			"すべての顧客に当社のパートナーIDを登録して", "リンクのない全テナントにMPN IDを紐付けて", "未設定のテナントすべてにPALを設定して",
		},
		ToolTransitionPartner: {
			"すべてのリンクを古いパートナーIDから新しいIDに移して", "合併したので全顧客の古いMPN IDを置き換えて", "全テナントのパートナー番号を変更して",
		},
	}
}
