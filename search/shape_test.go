package search

import (
	"reflect"
	"testing"

	"mcp-partner/schemas"
)

// What is asked about is never answered first with a tool that writes, however
// much the words speak of writing.
func TestQuestionsAreNotOrders(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"do any tenants need to be updated?", "before you remove the link, what is at contoso", "may I delete the link at contoso?",
		"they claim another partner is registered, who is recorded at contoso?", "according to my notes contoso has 1234567, correct?",
		"removing it is not what I want, show the link at contoso", "rights required to register partners", "what would be removed at contoso?",
		"darf ich die Verknüpfung bei contoso löschen?", "contosoで何か変更する必要がありますか", "contoso需要改什么吗",
	} {
		found := ix.Find(says, evalNames(), 1)
		if len(found.Matches) > 0 && found.Matches[0].Effect.Writes() {
			t.Errorf("%q: got %s first", says, found.Matches[0].Tool)
		}
	}
}

// A verb that writes asks for nothing of ours where its object is another thing.
func TestOrdersAboutOtherThingsAreNotWrites(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"link our kettle at contoso", "remove our frobnicator from fabrikam", "delete my bicycle", "update the link in the wiki", "cancel", "revert",
		"show the tenants that we ought to remove our ID from", "we were told to move contoso to another ID", "删除contoso的来宾账号",
		"Verwijder het tuinhuis bij Fabrikam", "contoso powinno mieć 1234567, sprawdź",
		"update the partner's phone number to 5551234", "change my partner ID on the dating site",
		"switch the projector from NTSC to PAL", "register the trade mark 3344556", "ersetze Lieferant 20871 durch 20990 in der Liste",
		"annule le déjeuner des partenaires de jeudi", "elimina la clausola sui partner dal contratto Litware", "wyczyść historię połączeń wspólnika",
		"商標3344556を登録して", "비상 연락처로 1234567을 등록해 줘", "把工号1234567登记到考勤系统",
		"Voeg de nieuwe stagiair toe aan de groep Partnerbeheer", "Trag den Geschäftspartner bitte im SAP ein", "elimina al socio Ruiz del registro mercantil",
	} {
		found := ix.Find(says, evalNames(), 1)
		if found.Matches[0].Effect.Writes() {
			t.Errorf("%q: got %s first", says, found.Matches[0].Tool)
		}
	}
}

func TestSentenceShapesFindTheirTool(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]string{
		"link all of the unlinked ones among our customers to 1234567":     schemas.ToolEnsurePartnerLinks,
		"please make sure all tenants are checked for our MPN":             schemas.ToolAuditPartnerLinks,
		"sorg dafür, dass unsere MPN bei allen Kunden überprüft wird":      schemas.ToolAuditPartnerLinks,
		"can you make sure that all customers carry our MPN?":              schemas.ToolEnsurePartnerLinks,
		"zorg ervoor dat alle tenants naar ons MPN wijzen":                 schemas.ToolEnsurePartnerLinks,
		"did we make sure that all customers carry our MPN?":               schemas.ToolAuditPartnerLinks,
		"could we in theory move all customers to 1234567":                 schemas.ToolAuditPartnerLinks,
		"ensure every customer has 1234567":                                schemas.ToolEnsurePartnerLinks,
		"make sure every customer has 1234567":                             schemas.ToolEnsurePartnerLinks,
		"from 7654321 to 1234567 at contoso":                               schemas.ToolUpdatePartner,
		"someone mistyped it at contoso, it should be 1234567":             schemas.ToolUpdatePartner,
		"contoso should no longer have 7654321 but 1234567":                schemas.ToolUpdatePartner,
		"we should no longer be listed as partner at contoso":              schemas.ToolRemovePartner,
		"contoso has no link, fix that with 1234567":                       schemas.ToolRegisterPartner,
		"把关联删掉, contoso":                                                   schemas.ToolRemovePartner,
		"未登録のテナントすべてに1234567を設定して":                                         schemas.ToolEnsurePartnerLinks,
		"All their invoices are paid. Is the partner link at contoso set?": schemas.ToolCheckPartnerLink,
		"the entry of our partner at contoso, erase it":                    schemas.ToolRemovePartner,
	} {
		if found := toolsOf(ix.Find(says, evalNames(), 1)); len(found) == 0 || found[0] != want {
			t.Errorf("%q: got %v, want %s", says, found, want)
		}
	}
}

func TestHandlesBecomeArguments(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]map[string]any{
		"is ap_0123456789abcdef01 approved":                         {"approval_id": "ap_0123456789abcdef01"},
		"show run_0123456789abcdef01":                               {"run_id": "run_0123456789abcdef01"},
		"register 1234567 at contoso with ap_0123456789abcdef01":    {"tenant": "contoso", "partner_id": "1234567", "approval_id": "ap_0123456789abcdef01"},
		"register 1234567 at contoso, see the map_0123456789abcdef": {"tenant": "contoso", "partner_id": "1234567"},
	} {
		found := ix.Find(says, evalNames(), 1)
		if len(found.Matches) == 0 || !reflect.DeepEqual(found.Matches[0].Arguments, want) {
			t.Errorf("%q: got %+v, want %v", says, found.Matches, want)
		}
	}
}

// A tenant that no directory has is still one tenant, and never an argument.
func TestUnknownTenantNameIsOneTenant(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{"has the ID been changed at Hufnagel?", "has the ID been changed at hufnagel.de?", "Hufnagelのリンクを確認して"} {
		found := ix.Find(says, nil, 1)
		if len(found.Matches) == 0 || found.Matches[0].Tool != schemas.ToolCheckPartnerLink || len(found.Matches[0].Arguments) > 0 {
			t.Errorf("%q: got %+v", says, found.Matches)
		}
	}
}
