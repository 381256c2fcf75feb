package docs_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

const toolsIntro = `# Tools

<!-- Generated from the catalogue in schemas. To write it anew: go test ./docs -update -->

For agents' authors and people at a terminal. Every tool answers with one [envelope](#the-envelope), as structured content and as the same
JSON in text; ` + "`mcp-partner call TOOL --json`" + ` prints it. An unknown, repeated or wrongly cased argument is refused; tools
that read also take numbers, booleans and lists as JSON text. On the command line an argument is a flag with dashes: ` + "`partner_id`" + ` is ` + "`--partner-id`" + `. [Errors](errors.md) has all problem codes.

A tool that writes needs ` + "`--allow-writes`" + ` or a rule of the [policy](policy.md). By default the person at the client confirms *write* tools, and
an approver confirms *destroy* tools, which overwrite or remove. A test runs the examples against the simulator.

`

func TestToolsPage(t *testing.T) {
	t.Parallel()
	same(t, "tools.md", toolsPage(t))
}

func toolsPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(toolsIntro)
	b.WriteString(sharedSection())
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
		"\n## " + op.Name, strings.TrimSpace(op.Summary + " " + op.Use + " " + op.Limit),
		"**Effect:** " + effectText(op) + routes(op), arguments(op),
		problemList(op), examples(op),
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, "\n\n") + "\n"
}

func effectText(op schemas.Operation) string {
	if op.Effect.Writes() {
		return string(op.Effect) + "; an equal second call changes nothing."
	}
	return string(op.Effect) + "."
}

func routes(op schemas.Operation) string {
	if len(op.Routes) == 0 {
		return " No request to Azure."
	}
	var parts []string
	for _, route := range op.Routes {
		part := code(route.Method + " " + strings.TrimPrefix(route.Path, "/providers/Microsoft.ManagementPartner"))
		if route.When != "" {
			part += " " + route.When
		}
		parts = append(parts, part)
	}
	return " Requests to Azure: " + strings.Join(parts, "; ") + "."
}

// sharedSection explains the arguments that many tools have, once.
func sharedSection() string {
	var b strings.Builder
	b.WriteString("## Arguments that many tools have\n\n")
	for _, line := range sharedArguments() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// sharedArguments are the lines of the arguments that three tools or more
// describe in the same words.
func sharedArguments() []string {
	count := map[string]int{}
	var lines []string
	for _, op := range schemas.Catalogue() {
		for _, line := range argumentLines(op) {
			if count[line]++; count[line] == 3 {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func argumentLines(op schemas.Operation) []string {
	schema := op.InputSchema()
	var lines []string
	for _, name := range schema.PropertyOrder {
		property := schema.Properties[name]
		required := ""
		if slices.Contains(schema.Required, name) {
			required = ", required"
		}
		lines = append(lines, "- "+code(name)+" ("+typeText(property)+required+"): "+property.Description)
	}
	return lines
}

// arguments lists those of a tool alone, and names those that many have.
func arguments(op schemas.Operation) string {
	shared := sharedArguments()
	var own, names []string
	for i, line := range argumentLines(op) {
		if slices.Contains(shared, line) {
			names = append(names, code(op.InputSchema().PropertyOrder[i]))
		} else {
			own = append(own, line)
		}
	}
	text := "**Arguments:** none."
	switch {
	case len(names) > 0 && len(own) > 0:
		text = "**Arguments:** " + strings.Join(names, ", ") + " (see above), and\n\n"
	case len(names) > 0:
		text = "**Arguments:** " + strings.Join(names, ", ") + " (see above)."
	case len(own) > 0:
		text = "**Arguments:**\n\n"
	}
	return text + strings.Join(own, "\n")
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

// problems lists what may go wrong: the codes that are this tool's own first,
// then those that every tool which goes to Azure has.
func problemList(op schemas.Operation) string {
	check, _ := schemas.Lookup(schemas.ToolCheckPartnerLink)
	var own, usual []string
	for _, problem := range problemsOf(op) {
		if slices.Contains(problemsOf(check), problem) && op.Azure() && op.Name != check.Name {
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
	for _, problem := range problemsOf(usual) {
		if !slices.Contains(had, code(string(problem))) {
			missing = append(missing, code(string(problem)))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return " but for " + strings.Join(missing, ", ")
}

// examples is the first one, for a reader; tests run them all.
func examples(op schemas.Operation) string {
	if len(op.Examples) == 0 {
		return ""
	}
	lines := []string{"**Examples:**\n"}
	for _, e := range op.Examples[:1] {
		linked := ""
		if e.Link != "" {
			linked = ", if " + e.Link + " is linked"
		}
		lines = append(lines, "- \""+e.Says+"\" "+code(string(e.Arguments))+": "+code(string(e.Status))+linked)
	}
	return strings.Join(lines, "\n")
}

// docTags are the texts of the envelope's fields.
func docTags() map[string]string {
	texts := map[string]string{}
	for field := range reflect.TypeFor[answers.Envelope]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		texts[name] = field.Tag.Get("doc")
	}
	return texts
}

// envelopeTexts says more for a reader than the doc tag of a field does.
var envelopeTexts = map[string]string{
	"status":       "How the call ended: `done`, `unchanged`, `approval_required`, `refused` or `failed`. `isError` is set for the last two.",
	"summary":      "One sentence for a person. It contains no untrusted text.",
	"identity":     "The identity that the answer is about: `tenant_id`, `tenant`, `object_id`, `cloud`, `credential`. IDs come from the token.",
	"link":         "What is linked: `state` (`linked`, `not_linked`, `deleted`, `unknown`) and, if known, `partner_id`, `partner_name`, `partner_state`, `version`, `created_time`, `updated_time`, `reason`, `expected_partner_id`, `matches_expected`, and `matches` (whether the `partner_id` asked about is the one linked; absent if that is not known).",
	"before":       "The link that a write found, in the form of `link`.",
	"after":        "The link read back after a write, in the form of `link`.",
	"operations":   "The provider's own operations.",
	"tenants":      "Rows of tenants.",
	"totals":       "Counts.",
	"matches":      "The nearest tools, best first: `tool`, `title`, `confidence`, `why`, `effect`, `arguments`, `input_schema`, `example`.",
	"out_of_scope": "Always there in an answer of `find_partner_tool`: `null`, or `reason` and `use_instead` (rows of `name`, `what_for`) where no tool here does it.",
	"pec_roles":    "Whether roles are eligible for partner earned credit: `verdicts` (counts of subscriptions), `list_date`, `rows` (`subscription_id`, `verdict`, `partial`, `why`, `reason`, `fix`, `roles` and more), `schedules`, `not_checked`; see [pec.md](pec.md).",
	"approval":     "A question that waits for an approver: `id`, `state` (`pending`, `approved`, `denied`, `used`, `expired`), `expires_at`, `how`.",
	"plan":         "Requests that would be made: `method`, `url`, `effect`, `when`. Only with `mcp-partner call --plan`.",
	"run_id":       "Pass it as `run_id` to page through a run, or to resume one that was interrupted.",
	"run":          "The progress of a run over many tenants: `id`, `kind`, `label`, `state` (`running`, `finished`, `cancelled`, `interrupted`), `created_at`, `finished_at`, `rows`, `answered`.",
	"common":       "What all rows of the page have in common: `credential`, `cloud`, `expected_partner_id`, `owner`, `labels`.",
	"rows":         "Identities in tenants, those that need attention first; see [audit.md](audit.md).",
	"causes":       "Why rows are unknown, in groups: `code`, `credential`, `authority`, `rows`, `message`, `hint`, `example`.",
	"changes":      "Rows of a plan or a run that writes to many tenants, those that need a person first: `tenant`, `state`, `before`, `after`, `partner_id`, `steps`, `rule`, `warning`, `why`, `problem` and more; see [transitions.md](transitions.md).",
	"ignored":      "Members of the arguments that were passed over because clients add them; only in tools that read.",
	"next_cursor":  "Pass it as `cursor` for the next page.",
	"problem":      "Why the call was refused or failed; see [errors.md](errors.md).",
}

func envelopeSection(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n## The envelope\n\n`status` and `summary` are always present. Names from Azure (partners, tenants) are untrusted text. ")
	b.WriteString("`tools/list` has shallow schemas; the full JSON Schemas are the resources `partner://schemas/{tool}`.\n\n")
	b.WriteString(head("Field", "What it is"))
	texts := docTags()
	for _, name := range answered() {
		text := cmp.Or(envelopeTexts[name], texts[name])
		if text == "" {
			t.Errorf("the field %s of the envelope has no text: give it a doc tag", name)
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
