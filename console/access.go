package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/auth/oauth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
)

const accessPath = "/console/access"

// overseen wraps what is for who may approve in all tenants: everybody else sees their
// own at /account.
func overseen(serve func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		if !v.by.Grant.Everywhere() {
			return errNotHere
		}
		return serve(v)
	}
}

func (c *Console) showAccess(v *visit) error {
	body := []page.Node{page.P("Who and what can use this server. To end something takes effect at once, and is recorded with your name.")}
	for _, part := range []func(*visit) (page.Node, error){c.people, c.signedIn, c.consents, c.clients, c.tokens} {
		node, err := part(v)
		if err != nil {
			return err
		}
		body = append(body, node)
	}
	users, err := c.o.Guard.Users(v.r.Context())
	fresh := xslices.Filter(users, func(u guard.User) bool { return u.Fresh(c.o.Now()) && guard.UserCaller(u.Name) != v.by.Caller })
	return cmp.Or(err, v.showSigned("Access", append(body, v.peopleForm(fresh))...))
}

// ends is a form that ends one thing.
func (v *visit) ends(what, id, label string) page.Node {
	return page.Form(accessPath, v.session.FormToken(), page.Hidden("id", id), page.Button("end", what, label, false))
}

// accessTable is a part of the page; without rows it says that there is nothing.
func accessTable(id, title string, heads []string, rows [][]page.Node) page.Node {
	if len(rows) == 0 {
		return page.Section(id, title, page.P("There are none."))
	}
	return page.Section(id, title, page.Listing(title, heads, rows...))
}

// reaches says what a grant gives.
func reaches(grant access.Grant) page.Node {
	return page.Group{page.Text(access.InWords(grant.Scopes) + " in "), page.Untrusted(tenantWords(grant.Tenants))}
}

func tenantWords(names []string) string {
	if slices.Contains(names, access.AllTenants) {
		return "all customers"
	}
	return strings.Join(names, ", ")
}

// people are the users of this server.
func (c *Console) people(v *visit) (page.Node, error) {
	users, err := c.o.Guard.Users(v.r.Context())
	rows := xslices.Map(users, func(u guard.User) []page.Node {
		return []page.Node{page.Untrusted(u.Name), reaches(u.Grant), page.Group(c.proofsOf(u)), v.ends("person", u.Name, "Sign out")}
	})
	return accessTable("people", "Users of this server", []string{"Name", "May", "Proves by", ""}, rows), err
}

// proofsOf says what a user has to sign in and approve with.
func (c *Console) proofsOf(u guard.User) (said []page.Node) {
	if u.Key != nil {
		said = append(said, page.Text("a passphrase. "))
	}
	for _, key := range u.Passkeys {
		said = append(said, page.Text("a passkey of "), page.Time(key.AddedAt), page.Text(". "))
	}
	switch {
	case u.Fresh(c.o.Now()):
		key := slices.MaxFunc(u.Passkeys, func(a, b guard.Passkey) int { return a.AddedAt.Compare(b.AddedAt) })
		said = append(said, page.State("warn", "The new passkey approves nothing until"), page.Text(" "), page.Time(key.ApprovesFrom()), page.Text(", unless another approver confirms it."))
	case len(said) == 0:
		said = append(said, page.Text("nothing yet"), page.If(!u.InvitedAt.IsZero(), page.Group{page.Text(", invited "), page.Time(u.InvitedAt)}))
	}
	return said
}

// signedIn are those in whose browsers somebody is signed in.
func (c *Console) signedIn(v *visit) (page.Node, error) {
	live, err := c.o.Guard.SignedIn(v.r.Context())
	rows := xslices.Map(live, func(who guard.Browsers) []page.Node {
		id, local := strings.CutPrefix(string(who.Caller), string(guard.UserCaller("")))
		known := page.Group{page.Text("this server")}
		if !local {
			known = page.Group{page.Text("the issuer, as "), page.Untrusted(id)}
		}
		return []page.Node{page.Untrusted(cmp.Or(who.Name, id)), page.Text(fmt.Sprint(who.Count)), known, v.ends("person", id, "Sign out")}
	})
	return accessTable("browsers", "Signed in now", []string{"Person", "#Browsers", "Known by", ""}, rows), err
}

// consents are what people allowed clients.
func (c *Console) consents(v *visit) (page.Node, error) {
	list, err := c.o.Clients(v.by.Caller).Consents(v.r.Context())
	rows := xslices.Map(list, func(one oauth.Consent) []page.Node {
		return []page.Node{
			page.Untrusted(cmp.Or(one.Person.Name, string(one.Person.Caller))), page.Untrusted(one.Client.Shown()),
			page.Group{page.Text(access.InWords(one.Scopes) + " in "), page.Untrusted(one.Customers)}, page.Time(one.Begun), page.Time(one.Ends), v.ends("consent", one.ID, "Revoke"),
		}
	})
	return accessTable("consents", "What people allowed clients", []string{"Person", "Client", "May", "Since", "Until", ""}, rows), err
}

func (c *Console) clients(v *visit) (page.Node, error) {
	list, err := c.o.Clients(v.by.Caller).List(v.r.Context())
	if err != nil {
		return nil, err
	}
	consents, err := c.o.Clients(v.by.Caller).Consents(v.r.Context())
	rows := xslices.Map(list, func(one oauth.Client) []page.Node {
		n := len(xslices.Filter(consents, func(c oauth.Consent) bool { return c.Client.ID == one.ID }))
		reach := page.Text("nothing: nobody allows it anything now")
		if n > 0 {
			reach = page.Text("what " + phrase.Count(n, "consent") + " above gives")
		}
		return []page.Node{page.Untrusted(one.Shown()), page.Text(string(one.Kind)), reach, page.Time(one.AddedAt), page.Time(one.UsedAt), v.ends("client", one.ID, "Remove")}
	})
	return accessTable("clients", "Clients", []string{"Client", "Known by", "Reaches", "Since", "Last used", ""}, rows), err
}

// tokens are the invocation tokens that hold and follow from no consent.
func (c *Console) tokens(v *visit) (page.Node, error) {
	now := c.o.Now()
	list, err := c.o.Guard.Tokens(v.r.Context())
	list = xslices.Filter(list, func(t guard.Token) bool { return t.Family == "" && t.Live(now) })
	rows := xslices.Map(list, func(t guard.Token) []page.Node {
		uses := "any number"
		if t.Uses > 0 {
			uses = fmt.Sprintf("%d of %s", t.Used, phrase.Count(t.Uses, "use"))
		}
		return []page.Node{page.Untrusted(t.Name()), reaches(t.Grant), page.Untrusted(t.IssuedBy), page.Time(t.ExpiresAt), page.Text(uses), v.ends("token", t.ID, "Revoke")}
	})
	return accessTable("tokens", "Invocation tokens", []string{"Name", "May", "Issued by", "Until", "Used", ""}, rows), err
}

// endAccess ends one thing. It takes no proof: access less does no harm.
func (c *Console) endAccess(v *visit) error {
	ctx, id, by := context.WithoutCancel(v.r.Context()), v.r.PostForm.Get("id"), string(v.by.Caller)
	var err error
	switch what := v.r.PostForm.Get("end"); {
	case id == "":
		return errNotHere
	case what == "person":
		err = c.o.Guard.SignOutUser(ctx, id, by)
	case what == "consent":
		err = c.o.Clients(v.by.Caller).End(ctx, id)
	case what == "client":
		err = c.o.Clients(v.by.Caller).Remove(ctx, id)
	case what == "token":
		_, err = c.o.Guard.RevokeTokens(ctx, guard.TokenSelection{ID: id, By: by})
	default:
		return errNotHere
	}
	if err != nil {
		return err
	}
	return v.back(accessPath)
}

// accessRoutes are those of who and what can use this server.
func (c *Console) accessRoutes() []route {
	approves := []access.Scope{access.ScopeApprove}
	return []route{
		{"GET", accessPath, approves, overseen(c.showAccess)},
		{"POST", accessPath, approves, overseen(c.endAccess)},
		{"POST", peoplePath + "/challenge", approves, overseen(c.beginUserChange)},
		{"POST", peoplePath, approves, overseen(c.changeUser)},
	}
}
