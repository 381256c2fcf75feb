// Package client has the commands that write this server into the configuration
// of MCP clients and take it out again.
package client

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/serve"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/clientfile"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/vault"
)

// ClientOptions say which entry of which client is meant.
type ClientOptions struct {
	client clientfile.Client
	Name   string
	Scope  clientfile.Scope
}

func (o *ClientOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.Name, "name", "partner", "`NAME` of the server in the client")
	cmdutil.AddChoice(flags, &o.Scope, "scope", "`SCOPE` of the configuration; project is that of the working directory",
		clientfile.ScopeUser, clientfile.ScopeProject)
}

// serverName is the form of a server's name that every client takes.
const serverName = `^[0-9A-Za-z_-]{1,64}$`

// Check finds the client, and refuses what no client has.
func (o *ClientOptions) Check(name string) error {
	var ok bool
	if o.client, ok = clientfile.Lookup(name); !ok {
		return unknownClient(name)
	}
	if named, _ := regexp.MatchString(serverName, o.Name); !named {
		return exit.Usage("use letters, digits, - and _, at most 64", "--name has a character that some clients do not accept")
	}
	return nil
}

func unknownClient(name string) error {
	near := ""
	if known := schemas.Nearest(name, clientfile.Names()); known != "" {
		near = ": did you mean " + known + "?"
	}
	return exit.Usage("the clients are "+strings.Join(clientfile.Names(), ", "), "there is no client %s%s", untrusted.Shown(name), near)
}

func (o *ClientOptions) file(deps *cmdutil.Deps) (clientfile.File, error) {
	path, err := o.path(deps)
	if err != nil {
		return clientfile.File{}, err
	}
	file, err := clientfile.Open(path)
	if err != nil {
		return clientfile.File{}, untouched(path, err)
	}
	if o.Scope == clientfile.ScopeProject {
		file = file.Shared()
	}
	return file, nil
}

func (o *ClientOptions) path(deps *cmdutil.Deps) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", exit.Failed("change to a folder that exists", "the working directory is not known")
	}
	path, err := o.client.Path(clientfile.Place{GOOS: runtime.GOOS, Env: deps.IO.Env, Project: folder}, o.Scope)
	if err != nil {
		return "", exit.Usage("mcp-partner install "+o.client.Name+" --print shows the entry to add by hand", "%s", err)
	}
	return path, nil
}

// untouched says that a configuration was left as it is.
func untouched(path string, err error) error {
	return exit.Failed("correct the file, or add the entry by hand: mcp-partner install CLIENT --print",
		"%s was not changed: %s", path, err)
}

type InstallOptions struct {
	ClientOptions
	url      string
	clientID string
	print    bool
	// serve are more arguments for the server.
	Serve []string
}

// NewCmdInstall builds `install`.
func NewCmdInstall(deps *cmdutil.Deps) *cobra.Command {
	options := &InstallOptions{}
	command := &cobra.Command{
		Use:       "install [CLIENT] [-- ARGUMENTS OF serve]",
		Short:     "Write this server into the configuration of an MCP client",
		Long:      "The clients are " + strings.Join(clientfile.Names(), ", ") + ". Without one, those found here are listed with what would be written.",
		ValidArgs: clientfile.Names(),
		Args:      cobra.ArbitraryArgs, // take checks them
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 && !options.print && options.url+options.clientID == "" {
				return listFound(deps, options)
			}
			if err := options.take(command, args); err != nil {
				return err
			}
			return RunInstall(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	options.add(flags)
	flags.StringVar(&options.url, "http", "", "`URL` of a server that runs elsewhere, instead of a command")
	flags.StringVar(&options.clientID, "client-id", "", "`ID` of the client's registration with the issuer, for --http (not a secret)")
	flags.BoolVar(&options.print, "print", false, "print the entry for pasting, and change nothing")
	config.Typed(flags, "http", "client-id") // their variables are meant for serve and tenants add
	return command
}

// take splits the words at the dashes and checks both halves.
func (o *InstallOptions) take(command *cobra.Command, args []string) error {
	if at := command.ArgsLenAtDash(); at >= 0 {
		args, o.Serve = args[:at], args[at:]
	}
	if err := cmdutil.OneArgument("the client's name")(command, args); err != nil {
		return err
	}
	if err := o.Check(args[0]); err != nil {
		return err
	}
	switch {
	case o.url == "" && o.clientID != "":
		return exit.Usage("give --http URL as well, or leave it out", "--client-id is for a server with a URL")
	case o.url == "":
		return checkServeArguments(o.Serve)
	case o.clientID != "" && !isClientID(o.clientID):
		return exit.Usage("give the ID of the registration, such as a GUID; never put a secret into a client's file", "--client-id is not an ID")
	}
	if len(o.Serve) > 0 {
		return exit.Usage("leave them out: that server is started elsewhere", "arguments of serve cannot be combined with --http")
	}
	return checkServerURL(o.url)
}

// isClientID keeps an ID to what issuers give out.
func isClientID(text string) bool {
	strange := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`\\$<>{}", r) }
	return len(text) <= 128 && !strings.ContainsFunc(text, strange)
}

// checkServeArguments reads them as serve will, so that a typing error is found
// by the person and not by the client.
func checkServeArguments(args []string) error {
	deps := cmdutil.NewDeps(&term.Streams{})
	root, serve := &cobra.Command{Use: "mcp-partner"}, serve.NewCmdServe(deps)
	deps.AddGlobals(root.PersistentFlags())
	root.AddCommand(serve)
	if err := serve.ParseFlags(args); err != nil {
		return cmdutil.FlagError(serve, err)
	}
	switch {
	case serve.Flags().NArg() > 0:
		return exit.Usage("mcp-partner serve --help", "serve takes only flags")
	case serve.Flags().Changed("http") || serve.Flags().Changed("state-dir"):
		return exit.Usage("give --state-dir and --http before the --", "--state-dir and --http are set by install itself")
	}
	return nil
}

// checkServerURL refuses what would put a secret into the file, or send one
// over the network in the clear.
func checkServerURL(text string) error {
	const next = "give --http https://HOST/mcp"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return exit.Usage(next, "--http is not the URL of a server")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return exit.Usage(next, "--http has more than a host and a path: never put a name, password or token into a client's file")
	case u.Scheme == "http" && !httpclient.IsLoopback(u.Hostname()):
		return exit.Usage(next, "--http is not encrypted, which is allowed only for a server on this machine")
	}
	return nil
}

func RunInstall(_ context.Context, deps *cmdutil.Deps, o *InstallOptions) error {
	server, err := o.server(deps)
	if err != nil {
		return err
	}
	block, err := o.client.Set(nil, o.Name, server)
	if err != nil {
		return exit.Refused("mcp-partner install "+o.client.Name+" without --http starts the server on this machine", "%s", err)
	}
	if o.print {
		_, err := deps.IO.Out.Write(block)
		return err
	}
	file, err := o.file(deps)
	if err != nil {
		return err
	}
	old, err := o.ours(file)
	if err != nil {
		return err
	}
	text, err := o.client.Set(file.Text, o.Name, server)
	if err != nil {
		return untouched(file.Path, err)
	}
	if string(text) == string(file.Text) {
		return showInstalled(deps, o, file, "", nil, nil)
	}
	backup, err := file.Replace(text, time.Now())
	if err != nil {
		return untouched(file.Path, err)
	}
	deps.IO.ChangeMade()
	file.Text = text
	if err := showInstalled(deps, o, file, backup, old, block); err != nil {
		return err
	}
	return warnOfPassphrase(deps, o)
}

func (o *InstallOptions) server(deps *cmdutil.Deps) (clientfile.Server, error) {
	if o.url != "" {
		return clientfile.Server{URL: o.url, ClientID: o.clientID}, nil
	}
	dir, err := deps.StateDirectory()
	if err != nil {
		return clientfile.Server{}, err
	}
	program, err := thisProgram()
	if err != nil {
		return clientfile.Server{}, err
	}
	return clientfile.Server{Command: program, Args: append([]string{"serve", "--state-dir", dir}, o.Serve...)}, nil
}

// thisProgram is the path that a client can start. What `go run` has built is
// gone when it ends.
func thisProgram() (string, error) {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", exit.Failed("start it by its full path", "the path of this program is unknown")
	}
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "", exit.Refused("run: go build -o mcp-partner ./cmd/mcp-partner, and install with that program",
			"go run deletes this program when it ends, so no client could start it")
	}
	if strings.Contains(filepath.ToSlash(path), "/_npx/") {
		return "", exit.Refused("run npm install --global with the same package and version, then mcp-partner install; or write npx with the pinned version into the client's file",
			"npx keeps this program in a cache that it empties, so no client could rely on it")
	}
	return path, nil
}

// showInstalled says what changed; no entry now means that nothing did.
func showInstalled(deps *cmdutil.Deps, o *InstallOptions, file clientfile.File, backup string, before, now []byte) error {
	u := deps.IO.UI()
	if now == nil {
		u.Linef(term.Good, "%s already has this server; nothing was changed.", o.client.Title)
		u.Field("file", file.Path)
		keptFields(u, o.client.Kept(file.Text, o.Name))
		return u.Err
	}
	u.Linef(term.Good, "Added the server %s to %s.", o.Name, o.client.Title)
	u.Field("file", file.Path)
	u.Field("backup", backup)
	showDifference(u, before, now)
	keptFields(u, o.client.Kept(file.Text, o.Name))
	u.Field("next", o.client.Restart)
	u.Field("then ask", "Which tenants do we manage?")
	u.Field("undo", "mcp-partner uninstall "+o.client.Name+o.flags())
	return u.Err
}

// warnOfPassphrase tells that the server will stay locked: a client starts it
// without a terminal.
func warnOfPassphrase(deps *cmdutil.Deps, o *InstallOptions) error {
	if o.url != "" || !StaysLocked(deps, o.Serve) {
		return nil
	}
	u := deps.IO.UI()
	u.Blank()
	u.Line(term.Warn, "The vault opens with a passphrase, and a client starts the server without a terminal to type it on.")
	u.Field("give it", "mcp-partner install "+o.client.Name+o.flags()+" -- --passphrase-file FILE")
	return u.Err
}

// StaysLocked reports whether a server that is started with these arguments, and
// no terminal, cannot open the vault.
func StaysLocked(deps *cmdutil.Deps, serve []string) bool {
	given := func(name string) bool {
		return deps.Config.Sets(name) || slices.ContainsFunc(serve, func(arg string) bool { return strings.HasPrefix(arg, "--"+name) })
	}
	if given("passphrase-file") || given("identity-file") {
		return false
	}
	files, err := deps.Files()
	if err != nil {
		return false // the command that needs them tells what is wrong
	}
	store, err := vault.OpenVault(files, vault.KeySource{}, nil)
	if err != nil {
		return false // doctor tells what is wrong with it
	}
	defer store.Close()
	return store.NeedsPerson()
}

// flags are those of the options that are not the default, for a command.
func (o *ClientOptions) flags() string {
	text := ""
	if o.Name != "partner" {
		text += " --name " + o.Name
	}
	if o.Scope != clientfile.ScopeUser {
		text += " --scope " + string(o.Scope)
	}
	return text
}

// NewCmdUninstall builds `uninstall`.
func NewCmdUninstall(deps *cmdutil.Deps) *cobra.Command {
	options := &ClientOptions{}
	command := &cobra.Command{
		Use:       "uninstall CLIENT",
		Short:     "Remove this server from the configuration of an MCP client",
		ValidArgs: clientfile.Names(),
		Args:      cmdutil.OneArgument("the client's name"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := options.Check(args[0]); err != nil {
				return err
			}
			return runUninstall(command.Context(), deps, options)
		},
	}
	options.add(command.Flags())
	return command
}

func runUninstall(_ context.Context, deps *cmdutil.Deps, o *ClientOptions) error {
	file, err := o.file(deps)
	if err != nil {
		return err
	}
	block, err := o.ours(file)
	if err != nil {
		return err
	}
	text, found, err := o.client.Remove(file.Text, o.Name)
	if err != nil {
		return untouched(file.Path, err)
	}
	u := deps.IO.UI()
	if !found {
		u.Linef(term.Plain, "%s has no server %s; nothing was changed.", o.client.Title, o.Name)
		u.Field("file", file.Path)
		return u.Err
	}
	backup, err := file.Replace(text, time.Now())
	if err != nil {
		return untouched(file.Path, err)
	}
	deps.IO.ChangeMade()
	u = deps.IO.UI()
	u.Linef(term.Good, "%s no longer has the server %s.", o.client.Title, o.Name)
	u.Field("file", file.Path)
	u.Field("backup", backup)
	showDifference(u, block, nil)
	return u.Err
}
