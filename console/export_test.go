package console

// Routes are the routes of a Console, as METHOD PATH.
func (c *Console) Routes() (all []string) {
	for _, r := range c.routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
