package schemas_test

import (
	"encoding/json"
	"slices"
	"testing"

	"mcp-partner/schemas"
)

var paths = []string{
	schemas.PathPartners, schemas.PathPartner, schemas.PathOperations, schemas.PathTenants,
	schemas.PathSubscriptions, schemas.PathRoleAssignments, schemas.PathRoleDefinition, schemas.PathRoleSchedules,
}

func TestEveryOperationIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, op := range schemas.Catalogue() {
		if seen[op.Name] {
			t.Errorf("%s stands in the catalogue twice", op.Name)
		}
		seen[op.Name] = true
		if op.Title == "" || op.Summary == "" || op.Use == "" || op.Input == nil || len(op.Answer) == 0 || len(op.Examples) == 0 {
			t.Errorf("%s lacks a title, summary, use, input, answer or example", op.Name)
		}
		for _, route := range op.Routes {
			if !slices.Contains(paths, route.Path) {
				t.Errorf("%s has a route to %s, which is no path that armclient knows", op.Name, route.Path)
			}
		}
		writes := slices.ContainsFunc(op.Routes, func(r schemas.Route) bool { return r.Method != "GET" })
		if writes != op.Effect.Writes() {
			t.Errorf("%s: effect %s does not fit its routes", op.Name, op.Effect)
		}
		for _, example := range op.Examples {
			if _, err := op.Decode(example.Arguments); err != nil {
				t.Errorf("%s: example %q: %v", op.Name, example.Says, err)
			}
		}
	}
}

// The texts that every conversation pays for stay small.
func TestBudget(t *testing.T) {
	t.Parallel()
	bytes := 0
	for _, op := range schemas.Catalogue() {
		bytes += len(op.Description())
	}
	if average := bytes / len(schemas.Catalogue()); average > 350 {
		t.Errorf("descriptions have %d bytes on average, more than 350", average)
	}
}

func TestSchemasAreClosedAndDescribed(t *testing.T) {
	t.Parallel()
	for _, op := range schemas.Catalogue() {
		input := op.InputSchema()
		if raw, _ := json.Marshal(input.AdditionalProperties); string(raw) != "false" {
			t.Errorf("%s: additionalProperties is %s", op.Name, raw)
		}
		for name, property := range input.Properties {
			if property.Description == "" || property.Type == "" {
				t.Errorf("%s.%s has no description or type", op.Name, name)
			}
		}
		for _, name := range op.Answer {
			if op.AnswerSchema().Properties[name] == nil {
				t.Errorf("%s: the answer field %s is not in the envelope", op.Name, name)
			}
		}
	}
}
