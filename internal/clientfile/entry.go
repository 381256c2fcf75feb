package clientfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/tailscale/hujson"
)

// Server is what a client connects to: a command that it starts, or a URL.
type Server struct {
	Command string
	Args    []string
	URL     string
	// ClientID is the client's ID at the issuer of the server at URL; "" if clients
	// register themselves.
	ClientID string
}

// member is a member of an entry with its path.
type member struct {
	path  []string
	value any
}

// members are the server's entry in the client's form.
func (c Client) members(s Server) ([]member, error) {
	var all []member
	add := func(value any, path ...string) { all = append(all, member{path, value}) }
	if s.URL != "" && c.noRemote != "" {
		return nil, errors.New(c.noRemote)
	}
	kind := "http"
	if s.URL == "" {
		kind = "stdio"
	}
	if c.typed {
		add(kind, "type")
	}
	if s.URL == "" {
		add(s.Command, "command")
		add(s.Args, "args")
		return all, nil
	}
	add(s.URL, "url")
	if s.ClientID != "" {
		add(s.ClientID, c.clientID...)
	}
	return all, nil
}

// Set returns the file's text with the server under that name. An existing entry
// keeps members that a person added, such as variables, if it uses the same
// transport. Empty text makes a new file. An error says why the text cannot be
// changed.
func (c Client) Set(text []byte, name string, s Server) ([]byte, error) {
	members, err := c.members(s)
	if err != nil {
		return nil, err
	}
	d, servers, i, err := c.locate(text, name)
	if err != nil {
		return nil, err
	}
	entry := []string{c.key, name}
	if servers != nil && sameWay(servers.Members[i].Value, s) {
		keep := extended(servers.Members[i].Value)
		err := d.setAll(entry, members)
		if merged := d.text(); err != nil || keep || bytes.Equal(merged, text) {
			return merged, err
		}
	}
	if err := d.set(entry, struct{}{}); err != nil {
		return nil, err
	}
	err = d.setAll(entry, members)
	return d.text(), err
}

func (d *document) setAll(entry []string, members []member) error {
	for _, m := range members {
		if err := d.set(slices.Concat(entry, m.path), m.value); err != nil {
			return err
		}
	}
	return nil
}

// sameWay reports whether an entry uses the transport of s.
func sameWay(old hujson.Value, s Server) bool {
	object, ok := old.Value.(*hujson.Object)
	if !ok {
		return false
	}
	has := func(name string) bool {
		return slices.ContainsFunc(object.Members, func(m hujson.ObjectMember) bool { return nameOf(m) == name })
	}
	return has("url") == (s.URL != "") && has("command") == (s.URL == "")
}

// extended reports whether an entry has members that Set does not write.
func extended(old hujson.Value) bool {
	object := old.Value.(*hujson.Object)
	written := func(m hujson.ObjectMember) bool {
		return slices.Contains([]string{"type", "command", "args", "url"}, nameOf(m)) && m.Name.BeforeExtra.IsStandard()
	}
	return slices.ContainsFunc(object.Members, func(m hujson.ObjectMember) bool { return !written(m) }) || !object.AfterExtra.IsStandard()
}

func nameOf(m hujson.ObjectMember) string { return m.Name.Value.(hujson.Literal).String() }

// Find returns the server of that name; found is false if the text has no such
// entry.
func (c Client) Find(text []byte, name string) (server Server, found bool, err error) {
	value, err := c.entryOf(text, name)
	if err != nil || value == nil {
		return Server{}, false, err
	}
	plain := value.Clone()
	plain.Standardize()
	var e struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
		URL     string   `json:"url"`
		OAuth   struct {
			ClientID string `json:"clientId"`
		} `json:"oauth"`
		Auth struct {
			ClientID string `json:"CLIENT_ID"`
		} `json:"auth"`
	}
	if json.Unmarshal(plain.Pack(), &e) != nil {
		return Server{}, true, errors.New("the entry is not that of a server")
	}
	return Server{Command: e.Command, Args: e.Args, URL: e.URL, ClientID: cmp.Or(e.OAuth.ClientID, e.Auth.ClientID)}, true, nil
}

// Kept lists the names of members of an entry that Set does not write, and of
// variables as "env NAME". It returns no values.
func (c Client) Kept(text []byte, name string) (kept []string) {
	value, err := c.entryOf(text, name)
	if err != nil || value == nil {
		return nil
	}
	object, ok := value.Value.(*hujson.Object)
	if !ok {
		return nil
	}
	for _, m := range object.Members {
		member := nameOf(m)
		variables, ok := m.Value.Value.(*hujson.Object)
		switch {
		case slices.Contains([]string{"type", "command", "args", "url"}, member) || len(c.clientID) > 0 && member == c.clientID[0]:
		case member == "env" && ok:
			for _, variable := range variables.Members {
				kept = append(kept, "env "+nameOf(variable))
			}
		default:
			kept = append(kept, member)
		}
	}
	return kept
}
