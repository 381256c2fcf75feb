package schemas

func intentsPolish() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"czy nasze powiązanie partnera jest aktywne u klienta", "jaki MPN ID jest powiązany", "sprawdź status PAL",
			"czy jesteśmy zarejestrowani jako partner", "pokaż link partnera", "jaki numer partnera jest przypisany do tenanta",
			"czy to jest powiązany identyfikator partnera", "wyszukaj partnera o tym numerze", "czy ten MPN zgadza się z powiązanym",
		},
		ToolRegisterPartner: {
			"zarejestruj nasz identyfikator partnera", "powiąż nasz MPN z tenantem", "dodaj nasz numer u klienta", "ustaw PAL", "przypisz nasz numer partnera",
		},
		ToolUpdatePartner: {
			"zmień identyfikator partnera", "zastąp stary MPN nowym", "przenieś powiązanie na nowy numer", "popraw błędny numer partnera", "zaktualizuj powiązanie",
		},
		ToolRemovePartner: {
			"usuń nasze powiązanie partnera", "odepnij nasz numer od klienta", "odłącz nas od tego tenanta", "skasuj PAL", "zlikwiduj powiązanie",
		},
		ToolAuditPartnerLinks: {
			"którzy z naszych klientów nie są powiązani", "sprawdź powiązania partnera we wszystkich dzierżawach", "u których klientów brakuje naszego PAL",
			"raport klientów bez powiązania", "którzy klienci mają inny identyfikator partnera", "przejrzyj powiązania wszystkich klientów",
		},
		ToolListProviderOperations: {
			"jakie operacje udostępnia dostawca ManagementPartner", "jakich uprawnień potrzebuje rola do powiązania partnera", "wylistuj akcje dostawcy",
		},
		ToolListTenants: {
			"jakich klientów obsługujemy", "pokaż listę tenantów", "jaki jest identyfikator dzierżawy klienta", "do których tenantów sięgają nasze poświadczenia",
		},
		ToolFindPartnerTool: {"jakiego narzędzia potrzebuję", "co potrafisz", "pomóż znaleźć właściwe polecenie"},
		ToolGetApproval:     {"czy zatwierdzenie zostało już udzielone", "jaki jest stan zatwierdzenia", "czy ktoś zatwierdził wniosek"},
		ToolEnsurePartnerLinks: {
			"zarejestruj nasz identyfikator partnera u wszystkich klientów", "połącz nasz MPN w każdej dzierżawie bez połączenia", "skonfiguruj PAL wszędzie, gdzie go brakuje",
		},
		ToolTransitionPartner: {
			"przenieś wszystkie połączenia ze starego identyfikatora partnera na nowy", "połączyliśmy się, zamień stary MPN u wszystkich klientów", "zmień numer partnera we wszystkich dzierżawach",
		},
	}
}
