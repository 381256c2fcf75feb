package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
)

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
	case *access.Ruling:
		*field, err = answer(node)
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

// answer is deny, allow, or ask with a person, which YAML reads as a mapping unless it
// is quoted.
func answer(node *yaml.Node) (access.Ruling, error) {
	if node.Kind != yaml.MappingNode {
		text, err := word(node)
		return access.Ruling(text), err
	}
	var asks struct {
		Whom string `yaml:"ask"`
	}
	if err := readKeys(node, fieldsOf(&asks)); err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	return access.Ruling("ask: " + asks.Whom), nil
}
