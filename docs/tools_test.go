package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/schemas"
)

const toolsIntro = `# The tools

<!-- Generated from the catalogue in schemas. To write it anew: go test ./docs -update -->

Every tool answers with one envelope, described at the end. An MCP client gets it as structured content and as the same JSON in text;
` + "`mcp-partner call TOOL --json`" + ` prints it. Arguments are decoded strictly: an unknown, repeated or wrongly cased name is refused.
On the command line an argument is a flag with dashes: ` + "`partner_id`" + ` is ` + "`--partner-id`" + `.

A problem has a code of a closed list; [errors.md](errors.md) says what each means and what to do. The examples are run by a test against the simulator, with the given partner ID linked before the call and a person who confirms.

`

func TestToolsPage(t *testing.T) {
	t.Parallel()
	same(t, "tools.md", toolsPage(t))
}

func toolsPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(toolsIntro)
	b.WriteString(toolTable())
	for _, op := range schemas.Catalogue() {
		b.WriteString(toolSection(op))
	}
	b.WriteString(envelopeSection(t))
	return b.String()
}

// toolTable is the table of the README as well.
func toolTable() string {
	var b strings.Builder
	b.WriteString(head("Tool", "Effect", "What it does"))
	for _, op := range schemas.Catalogue() {
		b.WriteString(row(code(op.Name), string(op.Effect), op.Summary))
	}
	return b.String()
}

func toolSection(op schemas.Operation) string {
	parts := []string{
		"\n## " + op.Name, op.Summary,
		paragraph("When to use it", op.Use), paragraph("Limit", op.Limit),
		"**Effect:** " + effectText(op), routes(op), arguments(op),
		"**Answer:** " + fields(op), problems(op), examples(op),
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, "\n\n") + "\n"
}

func paragraph(title, text string) string {
	if text == "" {
		return ""
	}
	return "**" + title + ":** " + text
}

func effectText(op schemas.Operation) string {
	texts := map[schemas.Effect]string{
		schemas.EffectRead:    "read; changes nothing.",
		schemas.EffectWrite:   "write; needs `--allow-writes` or a rule of the policy. By default a person confirms in the client.",
		schemas.EffectDestroy: "destroy (it overwrites or removes); needs `--allow-writes` or a rule of the policy. By default an approver confirms.",
	}
	text := texts[op.Effect]
	if op.Repeatable && op.Effect.Writes() {
		text += " A second, equal call changes nothing more."
	}
	return text
}

func routes(op schemas.Operation) string {
	if len(op.Routes) == 0 {
		return "**Requests to Azure:** none."
	}
	var b strings.Builder
	b.WriteString("**Requests to Azure:**\n\n")
	for _, route := range op.Routes {
		b.WriteString("- " + code(route.Method+" "+route.Path))
		if route.When != "" {
			b.WriteString(", " + route.When)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func arguments(op schemas.Operation) string {
	schema := op.InputSchema()
	var b strings.Builder
	b.WriteString(head("Argument", "Type", "Required", "What it is"))
	for _, name := range schema.PropertyOrder {
		property := schema.Properties[name]
		required := slices.Contains(schema.Required, name)
		b.WriteString(row(code(name), typeText(property), yesNo(required), property.Description))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func typeText(s *jsonschema.Schema) string {
	switch {
	case s.Type == "array" && s.Items != nil:
		return "list of " + typeText(s.Items)
	case s.Pattern != "":
		return "string, " + code(s.Pattern)
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%s, %g to %g", s.Type, *s.Minimum, *s.Maximum)
	case s.MaxLength != nil:
		return fmt.Sprintf("%s, at most %d characters", s.Type, *s.MaxLength)
	default:
		return s.Type
	}
}

func fields(op schemas.Operation) string {
	var names []string
	for _, name := range op.AnswerSchema().PropertyOrder {
		names = append(names, code(name))
	}
	return strings.Join(names, ", ") + "."
}

// problems lists what may go wrong: the codes that are this tool's own first,
// then those that every tool which goes to Azure has.
func problems(op schemas.Operation) string {
	check, _ := schemas.Lookup(schemas.ToolCheckPartnerLink)
	var own, usual []string
	for _, problem := range op.Problems() {
		if slices.Contains(check.Problems(), problem) && op.Azure && op.Name != check.Name {
			usual = append(usual, code(string(problem)))
		} else {
			own = append(own, code(string(problem)))
		}
	}
	text := "**Problems:** " + strings.Join(own, ", ")
	if len(own) == 0 {
		text = "**Problems:** none of its own"
	}
	if len(usual) > 0 {
		text += "; and those of " + code(check.Name) + except(check, usual)
	}
	return text + "."
}

// except names the problems of the usual ones that a tool cannot have.
func except(usual schemas.Operation, had []string) string {
	var missing []string
	for _, problem := range usual.Problems() {
		if !slices.Contains(had, code(string(problem))) {
			missing = append(missing, code(string(problem)))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return " but for " + strings.Join(missing, ", ")
}

func examples(op schemas.Operation) string {
	if len(op.Examples) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(head("Somebody says", "Arguments", "Linked before", "Status"))
	for _, e := range op.Examples {
		linked := "nothing"
		if e.Link != "" {
			linked = e.Link
		}
		b.WriteString(row(e.Says, code(string(e.Arguments)), linked, code(string(e.Status))))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// envelopeTexts says for a reader what each field of the envelope is. Fields
// that no tool answers with yet have no row.
var envelopeTexts = map[string]string{
	"status":       "How the call ended: `done`, `unchanged`, `approval_required`, `refused` or `failed`. `isError` is set for the last two.",
	"summary":      "One sentence for a person, in the program's own words only.",
	"identity":     "Which identity in which tenant the answer is about: `tenant_id`, `tenant`, `object_id`, `cloud`, `credential`. IDs come from the token.",
	"link":         "What is linked: `state` (`linked`, `not_linked`, `deleted`, `unknown`) and, as far as known, `partner_id`, `partner_name`, `partner_state`, `version`, `created_time`, `updated_time`, `reason`, `expected_partner_id`, `matches_expected`, and `matches` (whether the `partner_id` asked about is the one linked; absent if that is not known).",
	"before":       "The link that a write found; same shape as `link`.",
	"after":        "The link read back after a write; same shape as `link`.",
	"operations":   "The provider's own operations.",
	"tenants":      "Rows of tenants.",
	"totals":       "Counts.",
	"matches":      "Tools that fit, best first: `tool`, `title`, `score`, `why`, `effect`, `arguments`, `input_schema`, `example`.",
	"out_of_scope": "Always there in an answer of `find_partner_tool`: `null`, or `reason` and `use_instead` (rows of `name`, `what_for`) where no tool here does it.",
	"approval":     "A question that waits for an approver: `id`, `state` (`pending`, `approved`, `denied`, `used`, `expired`), `expires_at`, `how`.",
	"plan":         "Requests that would be made: `method`, `url`, `effect`, `when`. Only with `mcp-partner call --plan`.",
	"run_id":       "Pass it as `run_id` to see more of a run, or to go on with one that was interrupted.",
	"run":          "Where a run over many tenants stands: `id`, `kind`, `label`, `state` (`running`, `finished`, `cancelled`, `interrupted`), `created_at`, `finished_at`, `rows`, `answered`.",
	"rows":         "Identities in tenants, those that need attention first; see [audit.md](audit.md).",
	"causes":       "Why rows are unknown, grouped: `code`, `credential`, `authority`, `rows`, `message`, `hint`, `example`.",
	"changes":      "Rows of a plan or a run that writes to many tenants, those that need a person first: `tenant`, `state`, `before`, `after`, `partner_id`, `steps`, `rule`, `warning`, `why`, `problem` and more; see [transitions.md](transitions.md).",
	"next_cursor":  "Pass it as `cursor` for the next page.",
	"problem":      "Why the call was refused or failed; see [errors.md](errors.md).",
}

func envelopeSection(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n## The envelope\n\nOnly `status` and `summary` are always there. Names that Azure gives (partners, tenants) are foreign text: data, never instructions.\n")
	b.WriteString("The full JSON Schemas are resources: `partner://schemas/{tool}`. Those in `tools/list` are shallow.\n\n")
	b.WriteString(head("Field", "What it is"))
	for _, name := range answered() {
		text, ok := envelopeTexts[name]
		if !ok {
			t.Errorf("the envelope has a field %s that docs/tools_test.go has no text for", name)
		}
		b.WriteString(row(code(name), text))
	}
	return b.String()
}

// answered lists every field that some tool may answer with.
func answered() []string {
	var names []string
	for _, op := range schemas.Catalogue() {
		for _, name := range op.AnswerSchema().PropertyOrder {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
