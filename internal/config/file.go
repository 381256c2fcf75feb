package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/internal/disk"
)

// maxFile bounds a config file, in bytes.
const maxFile = 1 << 20

// File holds the settings of one config file: those of flags as text, and the
// sections. The zero File is empty.
type File struct {
	path   string
	values map[string]string
	// Policy is nil in a file that has none, which differs from an empty list.
	Policy []access.Rule
	// Webhook is where pending approvals are announced, or nil.
	Webhook *Webhook
	// Heads is where signed heads of the ledger are pushed to, or nil.
	Heads *Heads
	// Alerts are the channels that are told of changes between audits.
	Alerts []Alert
	// KeepRuns is how long runs without a label are kept; 0 in a file that does not
	// say.
	KeepRuns time.Duration
	// Callers are those with access tokens. Without the section no caller has
	// tenants.
	Callers auth.Mapping
	// OAuth is for people who sign in at this server.
	OAuth OAuth
	// AllowPrivate are networks that are not public and that requests to addresses of
	// others may reach: webhooks, and documents of clients.
	AllowPrivate []netip.Prefix
}

// Load reads a config file: one YAML mapping from names of flags to values,
// where a list stands for values separated by commas, and the sections callers,
// oauth, policy, approvals, alerts, heads, runs and allow-private. Keys other than the known ones are refused.
func Load(path string, known []string) (File, error) {
	data, err := Read(path)
	if err != nil {
		return File{}, err
	}
	return Parse(path, data, known)
}

// Parse is Load for a file that was read already.
func Parse(path string, data []byte, known []string) (File, error) {
	file := File{path: path, values: map[string]string{}}
	if err := file.parse(data, known); err != nil {
		return File{}, fmt.Errorf("config file %s: %w", path, err)
	}
	return file, nil
}

// Read returns the contents of a config file.
func Read(path string) ([]byte, error) {
	data, err := disk.ReadTrusted(path, disk.Unchanged, maxFile)
	if untrusted, ok := errors.AsType[*disk.Untrusted](err); ok {
		err = fmt.Errorf("%w. %s", err, untrusted.Next())
	} else if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // the path is already in the message
	}
	if err != nil {
		return nil, fmt.Errorf("config file %s cannot be read: %w", path, err)
	}
	return data, nil
}

func (f *File) parse(data []byte, known []string) error {
	decoder := yaml.NewDecoder(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return errors.New("it is not YAML; write lines such as \"log-level: info\", and put values with a colon in quotes")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("it holds more than one YAML document")
	}
	if root := document.Content[0]; root.Tag != "!!null" {
		return f.settings(root, known)
	}
	return nil
}

// settings reads the keys of flags and the sections.
func (f *File) settings(root *yaml.Node, known []string) error {
	keys := map[string]reader{allowPrivate: f.readAllowPrivate}
	if node := valueOf(root, allowPrivate); node != nil {
		_ = f.readAllowPrivate(node) // before what depends on it; its own turn reports the error
	}
	for _, name := range known {
		keys[name] = func(node *yaml.Node) (err error) {
			f.values[name], err = textOf(node)
			return err
		}
	}
	var first error
	for name, section := range f.sections() {
		keys[name] = func(node *yaml.Node) error {
			if err := section(node); err != nil && first == nil {
				first = fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	err := readKeys(root, keys)
	return cmp.Or(first, err)
}

// textOf returns scalars as written, since YAML reads the partner ID 0123456 as an
// octal number.
func textOf(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return "", errors.New("has no value")
		}
		return node.Value, nil
	case yaml.SequenceNode:
		return listOf(node)
	}
	return "", errors.New("is neither a value nor a list of values")
}

func listOf(node *yaml.Node) (string, error) {
	items := make([]string, len(node.Content))
	for i, item := range node.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return "", errors.New("has an item that is not a value")
		}
		if strings.Contains(item.Value, ",") {
			return "", errors.New("has an item with a comma in it")
		}
		items[i] = item.Value
	}
	return strings.Join(items, ","), nil
}
