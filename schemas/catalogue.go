package schemas

import (
	"encoding/json"
	"strings"

	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
)

// The names of the tools; newer ones stand beside their entries.
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
)

// Route is one call to ARM that an operation makes.
type Route struct {
	Method string
	// Path below the ARM endpoint, with {partner_id} standing for the argument.
	Path string
	// When says under which condition the route is taken; empty means always.
	When string
}

// Example is one call of an operation that a test runs against the simulator.
type Example struct {
	// Says is what a person might have said.
	Says string
	// Arguments are the arguments of the call.
	Arguments json.RawMessage
	// Link is the partner ID that is linked before the call, or empty.
	Link string
	// Status is how the call ends when a person confirms it.
	Status answers.Status
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
	Name, Title string
	// Does are operations whose work this one does in many tenants: who denies
	// one of them denies this as well.
	Does []string
	// Summary is one sentence that starts with a verb and names the object.
	Summary string
	// Use says when to call this tool instead of its neighbour, Limit what it does
	// not do.
	Use, Limit string
	Effect     answers.Effect
	// Repeatable is true where a second, equal call changes nothing more.
	Repeatable bool
	// Azure is true where the operation may talk to Azure (MCP's openWorldHint).
	Azure bool
	// AnyTenant is true where every tenant gives the same answer: the first one
	// does if none is named.
	AnyTenant bool
	Routes    []Route
	// Input is a pointer to a zero value of the argument type.
	Input any
	// Answer lists the envelope fields that are the point of the answer.
	Answer []string
	// Table shows the rows of the answer at a terminal; nil where it has none, or
	// where the command line has a view of its own for them.
	Table    *Table
	Examples []Example
	// fields makes the list of the arguments, once.
	fields func() []field
}

// Description is what a client shows to its model.
func (o Operation) Description() string {
	return strings.TrimSpace(o.Summary + " " + o.Use + " " + o.Limit)
}

// Lookup returns the operation of a name.
func Lookup(name string) (Operation, bool) {
	return xslices.Find(catalogue(), func(operation Operation) bool { return operation.Name == name })
}
