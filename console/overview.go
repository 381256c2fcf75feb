package console

import "mcp-partner/internal/page"

func (c *Console) showOverview(v *visit) error {
	return v.show("Overview", page.P("Nothing is here yet."))
}
