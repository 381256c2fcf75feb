package search

import (
	"slices"
	"testing"

	"mcp-partner/schemas"
)

// Where it is said that there is no link, mending is making one, and nothing that
// destroys stands first.
func TestRepairOfMissingLinkRegisters(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]string{
		"fix all tenants that have no link":                       schemas.ToolEnsurePartnerLinks,
		"correct every customer that doesn't have a partner link": schemas.ToolEnsurePartnerLinks,
		"contoso has no link, please put that right":              schemas.ToolRegisterPartner,
		"korrigiere alle Kunden, die keine Verknüpfung haben":     schemas.ToolEnsurePartnerLinks,
		"répare les clients sans lien":                            schemas.ToolEnsurePartnerLinks,
		"pon en orden los clientes que no tienen vínculo":         schemas.ToolEnsurePartnerLinks,
		"metti a posto i clienti che non hanno un collegamento":   schemas.ToolEnsurePartnerLinks,
		"conserta todos os clientes sem vínculo":                  schemas.ToolEnsurePartnerLinks,
		"breng alle klanten zonder koppeling in orde":             schemas.ToolEnsurePartnerLinks,
		"uporządkuj klientów, którzy nie mają powiązania":         schemas.ToolEnsurePartnerLinks,
		"リンクがないテナントを全部直して":                                        schemas.ToolEnsurePartnerLinks,
		"링크가 없는 고객을 모두 바로잡아 줘":                                    schemas.ToolEnsurePartnerLinks,
		"把没有关联的客户都修好":                                             schemas.ToolEnsurePartnerLinks,
	} {
		if found := toolsOf(ix.Find(says, evalNames(), 1)); len(found) == 0 || found[0] != want {
			t.Errorf("%q: got %v, want %s", says, found, want)
		}
	}
}

// A verb of mending alone, with nothing said to be wrong and nothing to be right,
// is looked into first.
func TestUnspecificRepairChecksFirst(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"sort out contoso's partner link", "repair the partner link at contoso", "fix the partner ID at contoso",
		"bring den Link bei contoso in Ordnung", "répare le lien chez contoso", "arregla el vínculo de contoso",
		"aggiusta il collegamento di contoso", "conserta o vínculo de contoso", "herstel de koppeling bij contoso",
		"napraw powiązanie u contoso", "contosoのリンクを直して", "contoso 링크를 고쳐줘", "修复contoso的关联",
	} {
		found := ix.Find(says, evalNames(), 1)
		if len(found.Matches) == 0 || found.Matches[0].Effect.Writes() {
			t.Errorf("%q: got %v first", says, toolsOf(found))
		}
	}
	for _, says := range []string{"fix the wrong ID at contoso", "fix the link at contoso, it should be 1234567"} {
		if found := toolsOf(ix.Find(says, evalNames(), 1)); !slices.Contains(found, schemas.ToolUpdatePartner) {
			t.Errorf("%q: got %v", says, found)
		}
	}
}

// Who asks for a tool gets the tool that finds tools.
func TestQuestionForToolFindsToolSearch(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"which tool do I use to fix a wrong partner id", "welches Werkzeug nehme ich, um eine falsche Partner-ID zu korrigieren",
		"quel outil pour supprimer un lien chez contoso", "which tool would register all customers under 1234567", "どのツールでリンクを削除しますか",
	} {
		if found := toolsOf(ix.Find(says, evalNames(), 2)); found[0] != schemas.ToolFindPartnerTool {
			t.Errorf("%q: got %v", says, found)
		}
	}
}

func TestNewCustomerIsNotNewPartnerID(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for says, want := range map[string]string{
		"put our number 5544332 on the new customer tenant proseware": schemas.ToolRegisterPartner,
		"registriere 5544332 für den neuen Mandanten contoso":         schemas.ToolRegisterPartner,
		"把5544332登记到新客户contoso":                                       schemas.ToolRegisterPartner,
		"put contoso on the new id 1234567":                           schemas.ToolUpdatePartner,
		"put all customers on the new MPN 1234567":                    schemas.ToolTransitionPartner,
	} {
		if found := toolsOf(ix.Find(says, evalNames(), 1)); len(found) == 0 || found[0] != want {
			t.Errorf("%q: got %v, want %s", says, found, want)
		}
	}
}

// Either order of the two IDs, and a verb whose particle stands apart.
func TestMoveOfAllTenantsFindsTransition(t *testing.T) {
	t.Parallel()
	ix := New(schemas.Catalogue(), nil)
	for _, says := range []string{
		"roll all customers over to the new MPN 1234567 from 7654321", "carry every tenant across to 1234567 from 7654321",
		"stelle alle Kunden auf 1234567 von 7654321 um", "zet alle klanten van 7654321 om naar 1234567",
		"pasa todos los clientes al 1234567 desde el 7654321", "passa tutti i clienti a 1234567 da 7654321",
	} {
		found := ix.Find(says, evalNames(), 1)
		if len(found.Matches) == 0 || found.Matches[0].Tool != schemas.ToolTransitionPartner || found.Matches[0].Arguments["to"] != "1234567" {
			t.Errorf("%q: got %+v", says, found.Matches)
		}
	}
}
