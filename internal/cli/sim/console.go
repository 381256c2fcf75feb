package sim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/server"
	"mcp-partner/tools"
)

// The people in the demo's console. The host is an approver who confirms the visitor's
// passkey, which would otherwise approve nothing for a day.
const (
	consoleTenants = 40
	visitor, host  = "you", "host"
	agent          = "agent"
)

// runConsole serves the console over a simulated Azure until the context ends. The visitor
// opens the link that it prints, makes a passkey, and decides on an agent's request.
func runConsole(ctx context.Context, deps *cmdutil.Deps) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return exit.Failed("", "%s", app.CannotListen("127.0.0.1", err))
	}
	defer listener.Close()
	public := "http://" + net.JoinHostPort("localhost", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	deps.ServesHTTP, deps.PublicURL, deps.Console = true, public, true
	simulated, err := app.StartSimulation(context.WithoutCancel(ctx), app.SimulationOptions{Tenants: consoleTenants}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	a, err := deps.Open(simulated)
	if err != nil {
		return errors.Join(err, simulated.Server.Close())
	}
	defer a.Close()
	d := &consoleDemo{app: a, log: deps.Log, public: public}
	d.guard, err = guard.New(guard.Options{
		AllowWrites: true, Approval: "approver", Simulated: true, Store: a.GuardStore(), Origin: public, Bounds: access.Bounds{PartnerIDs: []string{ourID}},
	})
	if err != nil {
		return err
	}
	d.service = a.Service(d.guard)
	asked, err := d.prepare(ctx, simulated)
	if err != nil {
		return err
	}
	pages, err := d.pages()
	if err != nil {
		return err
	}
	link, err := d.invite(ctx)
	if err != nil {
		return err
	}
	if err := d.explain(deps.IO.UI(), link, asked); err != nil {
		return err
	}
	return deps.MCPServer(d.service).ServeListener(ctx, listener, server.HTTPOptions{
		Pages: d.confirming(pages.Handler()), PagePaths: pages.Paths(), PublicURL: public, Bearer: server.Authenticators{app.InvocationTokens{Decider: d.guard}},
	})
}

// consoleDemo is a house in which one visitor decides.
type consoleDemo struct {
	app     *app.App
	guard   *guard.Guard
	service *tools.Service
	log     *slog.Logger
	public  string
	// host vouches for the visitor.
	host guard.Credentials
}

// prepare leaves two audits with a change between them and an approval that waits, whose
// ID it returns: an agent asked.
func (d *consoleDemo) prepare(ctx context.Context, azure *app.Simulation) (string, error) {
	if err := azure.Stage(linked, unlinked, ourID); err != nil {
		return "", err
	}
	if _, err := d.ask(ctx, schemas.ToolAuditPartnerLinks, map[string]any{}, answers.StatusDone); err != nil {
		return "", err
	}
	if err := azure.Stage(unlinked, linked, ourID); err != nil {
		return "", err
	}
	if _, err := d.ask(ctx, schemas.ToolAuditPartnerLinks, map[string]any{}, answers.StatusDone); err != nil {
		return "", err
	}
	e, err := d.ask(ctx, schemas.ToolRegisterPartner, map[string]any{"tenant": unlinked, "partner_id": ourID, "reason": "They are ours again since Monday"}, answers.StatusApprovalRequired)
	if err != nil {
		return "", err
	}
	return e.Approval.ID, nil
}

// ask has the agent call a tool that must end in a status.
func (d *consoleDemo) ask(ctx context.Context, tool string, arguments map[string]any, want answers.Status) (answers.Envelope, error) {
	raw, err := json.Marshal(arguments)
	if err != nil {
		return answers.Envelope{}, err
	}
	e := d.service.Call(ctx, tools.Call{
		Tool: tool, Arguments: raw, Principal: access.Principal{Caller: guard.TokenCaller(agent), Grant: access.FullGrant()},
		Confirmer: tools.NoConfirmer{}, Patient: true,
	}).Envelope
	if e.Status != want {
		return e, fmt.Errorf("%s ended as %s: %s", tool, e.Status, e.Summary)
	}
	return e, nil
}

func (d *consoleDemo) pages() (*app.Pages, error) {
	pages, err := d.app.NewPages(d.public, "", nil)
	if err == nil {
		d.app.AddConsole(pages, d.service, d.guard)
	}
	return pages, err
}

// invite adds the host, whose agent it is that asks, and returns the link with which the
// visitor makes a passkey.
func (d *consoleDemo) invite(ctx context.Context) (string, error) {
	d.host = guard.Credentials{Name: host, Passphrase: []byte(rand.Text())}
	err := d.guard.AddUser(ctx, guard.User{Name: host, Also: []access.Caller{guard.TokenCaller(agent)}}, d.host.Passphrase, guard.Credentials{})
	if err != nil {
		return "", err
	}
	all := access.Grant{Scopes: []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeChange, access.ScopeApprove}}
	handle, err := d.guard.InviteUser(ctx, guard.User{Name: visitor, Grant: all}, d.host)
	return d.public + "/invite#" + handle, err
}

// confirming confirms the visitor's passkey before its maker gets to know that it was
// made. Nobody else can have the link, which was printed here.
func (d *consoleDemo) confirming(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(w, r)
		if r.Method != http.MethodPost || r.URL.Path != "/invite" {
			return
		}
		if err := d.confirm(context.WithoutCancel(r.Context())); err != nil {
			d.log.Error("the new passkey is not confirmed, and approves nothing for a day", "reason", err.Error())
		}
	})
}

func (d *consoleDemo) confirm(ctx context.Context) error {
	users, err := d.guard.Users(ctx)
	if err == nil && slices.ContainsFunc(users, func(u guard.User) bool { return u.Name == visitor && u.Fresh(time.Now()) }) {
		err = d.guard.ConfirmUser(ctx, visitor, d.host)
	}
	return err
}

func (d *consoleDemo) explain(u *term.UI, link, asked string) error {
	u.Line(term.Bold, "mcp-partner demo --console")
	u.Linef(term.Dim, "%d simulated customers in this process, the real server and console. Nothing leaves this machine, and nothing stays on it.", consoleTenants)
	u.Blank()
	u.Line(term.Bold, "Open this link in a browser of this machine, and make a passkey (it works once, for 15 minutes):")
	u.Write(link + "\n")
	u.Blank()
	u.Field("then", "open "+d.public+"/console/ : an agent wants to register "+ourID+" in "+unlinked+" and waits for you")
	u.Field("decide", d.public+"/console/approvals/"+asked+" : approve with the passkey, carry it out, and find both under Record")
	u.Field("confirmed", "a new passkey approves nothing for a day unless an approver confirms it: here the host does, this program")
	u.Field("end", "Ctrl-C")
	return u.Err
}
