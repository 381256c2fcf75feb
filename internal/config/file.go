package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
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
	data, err := readAll(path)
	if err != nil {
		return nil, fmt.Errorf("config file %s cannot be read: %w", path, reason(err))
	}
	return data, nil
}

func readAll(path string) ([]byte, error) {
	data, err := disk.ReadTrusted(path, disk.Unchanged, maxFile)
	if untrusted, ok := errors.AsType[*disk.Untrusted](err); ok {
		return nil, fmt.Errorf("%w. %s", err, untrusted.Next())
	}
	return data, err
}

// reason drops the path, which is already in the message.
func reason(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
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
	root := document.Content[0]
	if root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return errors.New("it is not a mapping; write lines such as \"log-level: info\"")
	}
	return f.settings(root, known)
}

func (f *File) settings(root *yaml.Node, known []string) error {
	if node := valueOf(root, allowPrivate); node != nil {
		if err := f.readAllowPrivate(node); err != nil {
			return err
		}
	}
	more, seen := sections(), map[string]bool{}
	all := slices.AppendSeq(slices.Clone(known), maps.Keys(more))
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		read, structured := more[key.Value]
		switch {
		case !slices.Contains(all, key.Value):
			return fmt.Errorf("line %d: %w", key.Line, unknown("key", key.Value, all))
		case seen[key.Value]:
			return fmt.Errorf("line %d: key %s appears twice", key.Line, key.Value)
		case structured:
			if err := read(f, value); err != nil {
				return err
			}
		default:
			if err := f.setting(key, value); err != nil {
				return err
			}
		}
		seen[key.Value] = true
	}
	return nil
}

// setting keeps the value of a flag.
func (f *File) setting(key, value *yaml.Node) error {
	text, err := textOf(value)
	if err != nil {
		return fmt.Errorf("line %d: key %s %w", key.Line, key.Value, err)
	}
	f.values[key.Value] = text
	return nil
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
