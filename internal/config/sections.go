package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mcp-partner/access"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// Webhook is where pending approvals are announced.
type Webhook struct {
	// URL is the receiver's; where it is a secret, URLFile holds it.
	URL     string `yaml:"url"`
	URLFile string `yaml:"url_file"`
	// KeyFile holds the key of the signature. Relative paths of files are relative
	// to the config file.
	KeyFile string `yaml:"key_file"`
	// Format is one of WebhookFormats.
	Format string `yaml:"format"`
	// AllowPrivate is that of the file.
	AllowPrivate []netip.Prefix
}

// OAuth says how people sign in at this server, and which clients may ask them.
type OAuth struct {
	// ClientID is the ID of this server's registration at the issuer, and Credential
	// the name of its secret or certificate in the vault.
	ClientID   string `yaml:"client_id"`
	Credential string `yaml:"credential"`
	// DomainHint spares people of one domain a question of Entra ID.
	DomainHint string `yaml:"domain_hint"`
	// Redirects are where clients may take their answers; the known clients' by default.
	Redirects []string `yaml:"redirects"`
	// Registration says whether clients may register themselves; true by default.
	Registration *bool `yaml:"registration"`
}

// Alert says which changes between audits a channel is told of.
type Alert struct {
	// Name names the channel in the record, in logs and in messages.
	Name    string               `yaml:"name"`
	Changes []answers.ChangeKind `yaml:"changes"`
	To      Webhook
}

// Heads is where signed heads of the ledger are pushed to: a file, or a webhook.
type Heads struct {
	File string `yaml:"file"`
	To   *Webhook
}

// WebhookFormats are the forms of an announcement.
func WebhookFormats() []string { return []string{"json", "slack", "teams"} }

// Sets reports whether the file has a value for a flag.
func (f File) Sets(flag string) bool { return f.values[flag] != "" }

// Value returns what the file says for a flag, a list separated by commas.
func (f File) Value(flag string) string { return f.values[flag] }

// sections are the keys of a config file beside flags, with a structured value.
func (f *File) sections() map[string]reader {
	return map[string]reader{
		"policy": f.readPolicy,
		"approvals": func(node *yaml.Node) error {
			return readKeys(node, map[string]reader{"webhook": f.webhook(&f.Webhook)})
		},
		"alerts":  f.readAlerts,
		"heads":   f.readHeads,
		"runs":    func(node *yaml.Node) error { return readKeys(node, map[string]reader{"keep": f.readKeep}) },
		"callers": f.readCallers,
		"oauth":   f.readOAuth,
	}
}

// allowPrivate is the key of networks that are not public.
const allowPrivate = "allow-private"

func (f *File) readAllowPrivate(node *yaml.Node) error {
	text, err := textOf(node)
	f.AllowPrivate = nil
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		network, failed := netip.ParsePrefix(part)
		if failed != nil || network != network.Masked() {
			return errors.New("is no list of networks such as [10.20.0.0/16]")
		}
		f.AllowPrivate = append(f.AllowPrivate, network)
	}
	return err
}

func valueOf(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// readOAuth reads the setting of the flag, or a mapping that implies it.
func (f *File) readOAuth(node *yaml.Node) (err error) {
	if node.Kind == yaml.ScalarNode {
		f.values["oauth"], err = textOf(node)
		return err
	}
	f.values["oauth"] = "true"
	return readKeys(node, fieldsOf(&f.OAuth))
}

func (f *File) readPolicy(node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: it is not a list of rules; begin each with \"- name: ...\"", node.Line)
	}
	f.Policy = []access.Rule{}
	for i, item := range node.Content {
		rule := access.Rule{Name: fmt.Sprintf("rule %d", i+1)}
		keys := fieldsOf(&rule)
		keys["answer"] = func(node *yaml.Node) error { return readAnswer(node, &rule) }
		if err := readKeys(item, keys); err != nil {
			return fmt.Errorf("%s: %w", untrusted.Sanitize(rule.Name), err)
		}
		rules := append(f.Policy, rule)
		if _, err := access.NewPolicy(access.Settings{Rules: rules}); err != nil {
			return fmt.Errorf("line %d: %s", item.Line, problems.As(err).Message)
		}
		f.Policy = rules
	}
	return nil
}

// webhook reads where something is sent.
func (f *File) webhook(into **Webhook) reader {
	return func(node *yaml.Node) error {
		hook := Webhook{Format: "json", AllowPrivate: f.AllowPrivate}
		if err := readKeys(node, fieldsOf(&hook)); err != nil {
			return err
		}
		if err := hook.check(); err != nil {
			return fmt.Errorf("cannot be used: %w", err)
		}
		f.locate(&hook.URLFile, &hook.KeyFile)
		*into = &hook
		return nil
	}
}

func (f *File) readAlerts(node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: it is not a list of channels; begin each with \"- name: ...\"", node.Line)
	}
	for _, item := range node.Content {
		alert, err := f.readAlert(item)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(f.Alerts, func(other Alert) bool { return other.Name == alert.Name }) {
			return fmt.Errorf("line %d: the name %s appears twice", item.Line, alert.Name)
		}
		f.Alerts = append(f.Alerts, alert)
	}
	return nil
}

func (f *File) readAlert(node *yaml.Node) (Alert, error) {
	var alert Alert
	var to *Webhook
	keys := fieldsOf(&alert)
	keys["to"] = f.webhook(&to)
	if err := readKeys(node, keys); err != nil {
		return alert, err
	}
	if named, _ := regexp.MatchString(channelName, alert.Name); !named {
		return alert, fmt.Errorf("line %d: name is not 1 to 32 letters, digits, - and _", node.Line)
	}
	if to == nil {
		return alert, fmt.Errorf("line %d: to is missing: write where the alerts are sent", node.Line)
	}
	if alert.Changes == nil {
		alert.Changes = answers.AlertKinds()
	}
	for _, kind := range alert.Changes {
		if all := answers.ChangeKinds(); !slices.Contains(all, kind) {
			return alert, fmt.Errorf("line %d: changes has %s; give %s", node.Line, untrusted.Shown(string(kind)), strings.Join(xslices.Map(all, func(kind answers.ChangeKind) string { return string(kind) }), ", "))
		}
	}
	alert.To = *to
	return alert, nil
}

// channelName is the form of the name of a channel.
const channelName = `^[0-9A-Za-z_-]{1,32}$`

// locate makes relative paths absolute, because a client starts a server in any
// folder.
func (f *File) locate(files ...*string) {
	for _, file := range files {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(f.path), *file)
		}
	}
}

// readHeads reads a file, or a webhook.
func (f *File) readHeads(node *yaml.Node) error {
	f.Heads = &Heads{}
	if valueOf(node, "file") != nil {
		err := readKeys(node, fieldsOf(f.Heads))
		f.locate(&f.Heads.File)
		return err
	}
	err := f.webhook(&f.Heads.To)(node)
	if err == nil && f.Heads.To.Format != "json" {
		err = errors.New("format is for announcements")
	}
	return err
}

// check refuses a webhook that others could read or answer. It never repeats the
// URL, which may hold a password.
func (w Webhook) check() error {
	chat := w.Format != "json"
	switch {
	case !slices.Contains(WebhookFormats(), w.Format):
		return errors.New("format is not one of " + strings.Join(WebhookFormats(), ", "))
	case !chat && w.KeyFile == "":
		return errors.New("key_file is missing: it signs the announcements")
	case (w.URL == "") == (w.URLFile == ""):
		return errors.New("give one of url and url_file")
	case chat && w.URL != "":
		return errors.New("give url_file in place of url: everybody who knows the URL can write to the channel")
	case w.URL == "":
		return nil
	}
	return w.CheckURL(w.URL)
}

// CheckURL refuses a URL that would send messages in clear text, or to a private
// address.
func (w Webhook) CheckURL(text string) error {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.User != nil:
		return errors.New("the URL is not one such as https://hooks.example/approvals, without a user in it")
	case at.Scheme != "https" && (at.Scheme != "http" || !httpclient.IsLoopback(at.Hostname())):
		return errors.New("the URL must begin with https://; http:// is for loopback addresses only")
	case httpclient.IsPrivate(at.Hostname(), w.AllowPrivate...):
		return errors.New("the URL names a private address; if it is meant, add its network to allow-private, as in allow-private: [10.20.0.0/16]")
	}
	return nil
}

// reader takes the value of a key.
type reader func(*yaml.Node) error

// readKeys reads a mapping and refuses unknown and repeated keys.
func readKeys(node *yaml.Node, keys map[string]reader) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: it is not a mapping; write lines such as \"key: value\"", node.Line)
	}
	var seen []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := keys[key.Value]
		switch {
		case !ok:
			return fmt.Errorf("line %d: %w", key.Line, unknownKey(key.Value, slices.Sorted(maps.Keys(keys))))
		case slices.Contains(seen, key.Value):
			return fmt.Errorf("line %d: key %s appears twice", key.Line, key.Value)
		}
		if err := read(value); err != nil {
			return fmt.Errorf("line %d: key %s %w", key.Line, key.Value, err)
		}
		seen = append(seen, key.Value)
	}
	return nil
}

// mostDays is about ten years; more must be a typing error.
const mostDays = 3660

func (f *File) readKeep(node *yaml.Node) error {
	text, err := word(node)
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	if !strings.HasSuffix(text, "d") || err != nil || days < 1 || days > mostDays {
		return errors.New("is not a number of days such as 400d")
	}
	f.KeepRuns = time.Duration(days) * 24 * time.Hour
	return nil
}

func (f *File) readCallers(node *yaml.Node) error {
	if err := readKeys(node, fieldsOf(&f.Callers)); err != nil {
		return err
	}
	return f.Callers.Check()
}

// fieldsOf reads keys into the fields of a struct that have them as yaml tags.
func fieldsOf(into any) map[string]reader {
	keys := map[string]reader{}
	for field, value := range reflect.ValueOf(into).Elem().Fields() {
		if key := field.Tag.Get("yaml"); key != "" {
			keys[key] = func(node *yaml.Node) error { return read(node, value) }
		}
	}
	return keys
}

// read reads a value of the kind that a field has.
func read(node *yaml.Node, into reflect.Value) (err error) {
	switch field := into.Addr().Interface().(type) {
	case **access.Rate:
		*field, err = rate(node)
		return err
	case **bool:
		*field = new(bool)
		return read(node, into.Elem())
	}
	switch into.Kind() {
	case reflect.Bool:
		if node.Tag != "!!bool" || node.Decode(into.Addr().Interface()) != nil {
			return errors.New("is not true or false")
		}
	case reflect.String:
		var text string
		text, err = word(node)
		into.SetString(text)
	case reflect.Map:
		return readTable(node, into)
	case reflect.Slice:
		if into.Type().Elem().Kind() == reflect.Struct {
			return readGrants(node, into)
		}
		return readWords(node, into)
	}
	return err
}

// word is one value, as it is written.
func word(node *yaml.Node) (string, error) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Value == "" {
		return "", errors.New("has no value")
	}
	return node.Value, nil
}

// readWords reads a list of values or a single value. An empty list is refused: in a
// rule it would match everything.
func readWords(node *yaml.Node, into reflect.Value) error {
	items := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		items = node.Content
	}
	if len(items) == 0 {
		return errors.New("is an empty list, which would match everything; leave the key out to match everything")
	}
	for _, item := range items {
		text, err := word(item)
		if err != nil {
			return errors.New("is neither a value nor a list of values")
		}
		into.Set(reflect.Append(into, reflect.ValueOf(text).Convert(into.Type().Elem())))
	}
	return nil
}

// readTable reads the scopes that each name gives.
func readTable(node *yaml.Node, into reflect.Value) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("is not a mapping; write lines such as \"partner.read: [partner.read]\"")
	}
	into.Set(reflect.MakeMap(into.Type()))
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := reflect.ValueOf(name.Value)
		if into.MapIndex(key).IsValid() || name.Kind != yaml.ScalarNode {
			return fmt.Errorf("has line %d twice, or no name there", name.Line)
		}
		given := reflect.New(into.Type().Elem()).Elem()
		if err := readWords(value, given); err != nil {
			return fmt.Errorf("has %q, which %w", untrusted.Sanitize(name.Value), err)
		}
		into.SetMapIndex(key, given)
	}
	return nil
}

func readGrants(node *yaml.Node, into reflect.Value) error {
	if node.Kind != yaml.SequenceNode {
		return errors.New("is not a list; begin each grant with \"- name: ...\"")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		if err := readKeys(item, fieldsOf(into.Index(i).Addr().Interface())); err != nil {
			return fmt.Errorf("has a grant that cannot be read: %w", err)
		}
	}
	return nil
}

// rate is a bound such as "10 per 1h".
func rate(node *yaml.Node) (*access.Rate, error) {
	text, err := word(node)
	if err != nil {
		return nil, err
	}
	count, per, found := strings.Cut(text, " per ")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	span, spanErr := time.ParseDuration(strings.TrimSpace(per))
	if !found || err != nil || spanErr != nil || n < 1 || span <= 0 {
		return nil, errors.New(`is not a rate such as "10 per 1h"`)
	}
	return &access.Rate{Count: n, Per: span}, nil
}

// readAnswer reads deny, allow, or a mapping of whom to ask and what is demanded of
// them. "ask: approver" is a word if it is quoted, and a mapping if it is not.
func readAnswer(node *yaml.Node, rule *access.Rule) error {
	if node.Kind != yaml.MappingNode {
		text, err := word(node)
		rule.Ruling = access.Ruling(text)
		return err
	}
	var asks struct {
		Whom      string `yaml:"ask"`
		With      string `yaml:"with"`
		Approvers string `yaml:"approvers"`
	}
	if err := readKeys(node, fieldsOf(&asks)); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if asks.With != "" && asks.With != "passkey" {
		return fmt.Errorf("has with: %s; passkey is the only value", untrusted.Shown(asks.With))
	}
	rule.Ruling, rule.Demand.Passkey = access.Ruling("ask: "+asks.Whom), asks.With != ""
	if asks.Approvers != "" {
		if rule.Demand.Approvers, _ = strconv.Atoi(asks.Approvers); rule.Demand.Approvers != 2 {
			return fmt.Errorf("has approvers: %s; use 2, or leave it out for one", untrusted.Shown(asks.Approvers))
		}
	}
	return nil
}
