package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mcp-partner/access"
)

// word reads one value, as it is written.
func word(into *string) reader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Value == "" {
			return errors.New("has no value")
		}
		*into = node.Value
		return nil
	}
}

// yesOrNo reads a truth value.
func yesOrNo(into **bool) reader {
	return func(node *yaml.Node) error {
		var value bool
		if node.Tag != "!!bool" || node.Decode(&value) != nil {
			return errors.New("is not true or false")
		}
		*into = &value
		return nil
	}
}

// yes reads a truth value that is false where nothing is said.
func yes(into *bool) reader {
	var value *bool
	return then(yesOrNo(&value), func() error {
		*into = *value
		return nil
	})
}

// words reads a list of values or a single value. An empty list is refused: in a
// rule it would match everything.
func words(into *[]string) reader {
	return func(node *yaml.Node) error {
		items := []*yaml.Node{node}
		if node.Kind == yaml.SequenceNode {
			items = node.Content
		}
		if len(items) == 0 {
			return errors.New("is an empty list, which would match everything; leave the key out to match everything")
		}
		for _, item := range items {
			var text string
			if err := word(&text)(item); err != nil {
				return errors.New("is neither a value nor a list of values")
			}
			*into = append(*into, text)
		}
		return nil
	}
}

// then runs a function after a value was read.
func then(read reader, do func() error) reader {
	return func(node *yaml.Node) error {
		if err := read(node); err != nil {
			return err
		}
		return do()
	}
}

// rate reads a bound such as "10 per 1h".
func rate(into **access.Rate) reader {
	var text string
	return then(word(&text), func() error {
		count, per, found := strings.Cut(text, " per ")
		n, err := strconv.Atoi(strings.TrimSpace(count))
		span, spanErr := time.ParseDuration(strings.TrimSpace(per))
		if !found || err != nil || spanErr != nil || n < 1 || span <= 0 {
			return errors.New(`is not a rate such as "10 per 1h"`)
		}
		*into = &access.Rate{Count: n, Per: span}
		return nil
	})
}

// answer reads deny, allow, or ask with a person, which YAML reads as a mapping
// unless it is quoted.
func answer(into *access.Ruling) reader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.MappingNode {
			var text string
			if err := word(&text)(node); err != nil {
				return err
			}
			*into = access.Ruling(text)
			return nil
		}
		var whom string
		if err := readKeys(node, map[string]reader{"ask": word(&whom)}); err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		*into = access.Ruling("ask: " + whom)
		return nil
	}
}
