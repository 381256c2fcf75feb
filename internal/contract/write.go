package contract

import (
	"mcp-partner/armclient"
	"mcp-partner/schemas"
)

// toolOf is the operation of the catalogue that a change is made by, for the
// guard and the record.
func toolOf(kind armclient.ChangeKind) string {
	switch kind {
	case armclient.ChangeCreate:
		return schemas.ToolRegisterPartner
	case armclient.ChangeUpdate:
		return schemas.ToolUpdatePartner
	default:
		return schemas.ToolRemovePartner
	}
}
