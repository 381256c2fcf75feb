package schemas

func intentsKorean() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"고객 테넌트에 파트너 링크가 등록되어 있나요", "어떤 MPN ID가 연결되어 있나요", "PAL 상태를 확인해줘", "우리가 파트너로 등록되어 있는지 알려줘", "파트너 관리 링크 보여줘", "이 테넌트의 파트너 번호는 무엇인가요",
			"이 ID가 연결된 파트너 ID인가요", "이 번호의 파트너를 조회해줘", "이 MPN이 등록된 것과 일치하나요",
		},
		ToolRegisterPartner: {
			"우리 파트너 ID를 등록해줘", "MPN ID를 테넌트에 연결해줘", "고객에게 우리 번호를 추가해줘", "PAL을 설정해줘", "파트너 관리 링크를 생성해줘",
		},
		ToolUpdatePartner: {
			"파트너 ID를 변경해줘", "기존 MPN을 새 번호로 교체해줘", "링크를 새 번호로 바꿔줘", "잘못된 파트너 ID를 수정해줘", "파트너 번호를 업데이트해줘",
		},
		ToolRemovePartner: {
			"파트너 링크를 삭제해줘", "고객에게서 우리 번호를 제거해줘", "연결을 해제해줘", "PAL을 지워줘", "우리 등록을 취소해줘",
		},
		ToolAuditPartnerLinks: {
			"연결되지 않은 고객은 어디인가요", "모든 테넌트의 파트너 링크를 감사해줘", "PAL이 없는 고객 목록",
			"다른 파트너 ID가 연결된 고객은", "전체 고객의 링크 보고서",
		},
		ToolListProviderOperations: {"ManagementPartner 공급자의 작업 목록", "파트너 링크 관리에 필요한 권한은 무엇인가요", "공급자의 동작을 나열해줘"},
		ToolListTenants:            {"우리가 관리하는 고객은 누구인가요", "테넌트 목록을 보여줘", "고객의 테넌트 ID가 뭐예요", "자격 증명으로 접근할 수 있는 테넌트는"},
		ToolFindPartnerTool:        {"어떤 도구를 써야 하나요", "무엇을 할 수 있나요", "알맞은 명령을 찾아줘"},
		ToolGetApproval:            {"승인이 났나요", "승인 상태는 어떤가요", "누가 승인했나요"},
		ToolEnsurePartnerLinks: {
			"모든 고객에 우리 파트너 ID를 등록해줘", "링크가 없는 모든 테넌트에 MPN ID를 연결해줘", "PAL이 없는 모든 곳에 PAL을 설정해줘",
		},
		ToolTransitionPartner: {
			"모든 링크를 이전 파트너 ID에서 새 ID로 옮겨줘", "합병했으니 모든 고객의 기존 MPN ID를 바꿔줘", "모든 테넌트의 파트너 번호를 변경해줘",
		},
	}
}
