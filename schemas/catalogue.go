// Package schemas is the catalogue of operations and what follows from it: the
// arguments of each and their strict decoding, the problems it may answer, and
// the JSON Schemas of both sides. What answers consist of stands in
// schemas/answers, the closed list of problems in schemas/problems.
//
// It knows neither MCP nor Azure nor a database. Every other room may import
// it; it imports none of them.
package schemas

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
)

// The names of the tools.
const (
	ToolCheckPartnerLink       = "check_partner_link"
	ToolRegisterPartner        = "register_partner"
	ToolUpdatePartner          = "update_partner"
	ToolRemovePartner          = "remove_partner"
	ToolListProviderOperations = "list_provider_operations"
	ToolListTenants            = "list_tenants"
	ToolFindPartnerTool        = "find_partner_tool"
	ToolGetApproval            = "get_approval"
	ToolAuditPartnerLinks      = "audit_partner_links"
	ToolEnsurePartnerLinks     = "ensure_partner_links"
	ToolTransitionPartner      = "transition_partner"
	ToolCheckPECRoles          = "check_pec_roles"
)

// Paths of the provider below the ARM endpoint, as in its published
// specification, and those of subscriptions and roles.
const (
	PathPartners        = "/providers/Microsoft.ManagementPartner/partners"
	PathPartner         = PathPartners + "/{partner_id}"
	PathOperations      = "/providers/Microsoft.ManagementPartner/operations"
	PathTenants         = "/tenants"
	PathSubscriptions   = "/subscriptions"
	PathRoleAssignments = "/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleAssignments"
	PathRoleDefinition  = "/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
	PathRoleSchedules   = "/providers/Microsoft.Authorization/roleAssignmentScheduleInstances"
	// APIVersion is the only version of the provider that exists.
	APIVersion = "2018-02-01"
	// TenantsAPIVersion is the version of GET /tenants and /subscriptions that is used.
	TenantsAPIVersion = "2022-12-01"
	// RolesAPIVersion and SchedulesAPIVersion are those of Microsoft.Authorization.
	RolesAPIVersion     = "2022-04-01"
	SchedulesAPIVersion = "2020-10-01"
)

// VersionOf returns the api-version of a path.
func VersionOf(path string) string {
	return cmp.Or(map[string]string{
		PathTenants: TenantsAPIVersion, PathSubscriptions: TenantsAPIVersion, PathRoleSchedules: SchedulesAPIVersion,
		PathRoleAssignments: RolesAPIVersion, PathRoleDefinition: RolesAPIVersion,
	}[path], APIVersion)
}

// Route is one call to ARM that an operation makes.
type Route struct {
	Method string `json:"method"`
	// Path below the ARM endpoint, with {partner_id} standing for the argument.
	Path string `json:"path"`
	// When says under which condition the route is taken; empty means always.
	When string `json:"when"`
}

// Example is one call of an operation that a test runs against the simulator.
type Example struct {
	// Says is what a person might have said.
	Says string `json:"says"`
	// Arguments are the arguments of the call.
	Arguments json.RawMessage `json:"arguments"`
	// Link is the partner ID that is linked before the call, or empty.
	Link string `json:"link"`
	// Status is how the call ends when a person confirms it.
	Status answers.Status `json:"status"`
}

// Table is what a terminal shows of an answer's rows.
type Table struct {
	Columns []string
	// Rows returns the cells of each row, in the order of Columns.
	Rows func(answers.Envelope) [][]string
}

// Operation is one entry of the catalogue: all that is known of a tool. MCP
// tools, the command line, the intent index and the documents are made of it.
type Operation struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Does are operations whose work this one does in many tenants: who denies
	// one of them denies this as well.
	Does []string `json:"does"`
	// Summary is one sentence that starts with a verb and names the object.
	Summary string `json:"summary"`
	// Use says when to call this tool instead of its neighbour, Limit what it does
	// not do.
	Use    string         `json:"use"`
	Limit  string         `json:"limit"`
	Effect answers.Effect `json:"effect"`
	// AnyTenant is true where every tenant gives the same answer: the first one
	// does if none is named.
	AnyTenant bool    `json:"any_tenant"`
	Routes    []Route `json:"routes"`
	// Answer lists the envelope fields that are the point of the answer.
	Answer   []string  `json:"answer"`
	Examples []Example `json:"examples"`
	// Input is a pointer to a zero value of the argument type.
	Input any `json:"-"`
	// Table shows the rows of the answer at a terminal; nil where it has none, or
	// where the command line has a view of its own for them.
	Table *Table `json:"-"`
	// fields makes the list of the arguments, once.
	fields func() []field
}

// Azure reports whether the operation may talk to Azure (MCP's openWorldHint).
func (o Operation) Azure() bool { return len(o.Routes) > 0 }

// Description is what a client shows to its model.
func (o Operation) Description() string {
	return strings.TrimSpace(o.Summary + " " + o.Use + " " + o.Limit)
}

// Lookup returns the operation of a name.
func Lookup(name string) (Operation, bool) {
	return xslices.Find(catalogue(), func(operation Operation) bool { return operation.Name == name })
}

// Catalogue returns every operation, reading ones first.
func Catalogue() []Operation { return slices.Clone(catalogue()) }

// catalogueText has the operations in their order. A second, equal call of any of
// them changes nothing more.
//
//go:embed catalogue.json
var catalogueText []byte

// catalogue is made once, because every call looks an operation up; nothing
// writes to it afterwards.
var catalogue = sync.OnceValue(func() (all []Operation) {
	decoder := json.NewDecoder(bytes.NewReader(catalogueText))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		panic("schemas: catalogue.json: " + err.Error()) // a test reads all of it
	}
	inputs, tables := inputs(), tables()
	for i := range all {
		all[i].Input, all[i].Table = inputs[all[i].Name], tables[all[i].Name]
		all[i].fields = sync.OnceValue(all[i].listFields)
	}
	return all
})

func tables() map[string]*Table {
	return map[string]*Table{
		ToolListProviderOperations: {[]string{"NAME", "OPERATION", "DESCRIPTION"}, operationCells},
		ToolListTenants: {
			[]string{"COMPANY", "DOMAINS", "NAME", "TENANT ID", "DISPLAY NAME", "CLOUD", "CREDENTIALS", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "CATEGORY", ""},
			tenantCells,
		},
	}
}

func operationCells(e answers.Envelope) [][]string {
	return xslices.Map(e.Operations, func(o answers.ProviderOperation) []string { return []string{o.Name, o.Operation, o.Description} })
}

func tenantCells(e answers.Envelope) [][]string {
	rows := make([][]string, len(e.Tenants))
	for i, t := range e.Tenants {
		known := ""
		if !t.InDirectory {
			known = "not in the directory"
		}
		rows[i] = []string{t.Company, strings.Join(t.Domains, " "), t.Name, t.TenantID, t.DisplayName, t.Cloud, strings.Join(t.Credentials, " "),
			string(t.ExpectedPartnerID), strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Category, known}
	}
	return rows
}

// publishedText is what tools/list shows of each tool, one line a tool: making
// it of the types at every start would take a fifth of the start. A test makes
// it anew and compares.
//
//go:embed published.jsonl
var publishedText []byte

// Published is a tool's schemas as tools/list shows them.
type Published struct {
	Tool   string          `json:"tool"`
	Input  json.RawMessage `json:"input"`
	Output json.RawMessage `json:"output"`
}

var published = sync.OnceValue(func() map[string]Published {
	all := map[string]Published{}
	for line := range bytes.Lines(publishedText) {
		var p Published
		if err := json.Unmarshal(line, &p); err != nil {
			panic("schemas: published.jsonl: " + err.Error()) // a test reads all of it
		}
		all[p.Tool] = p
	}
	return all
})

// Published returns the operation's schemas as tools/list shows them.
func (o Operation) Published() Published { return published()[o.Name] }

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the wire contract of the provider's six operations, and of the
// four calls of Azure Resource Manager that read roles, as an OpenAPI 3.1 document
// in JSON. It is written by hand; tests compare it with the constants here, with
// the simulator and with armclient.
func OpenAPI() []byte { return slices.Clone(openAPI) }
