package tools

import (
	"embed"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// promptTexts are the texts of the prompts by name, with their arguments as
// ${name}. A prompt without its optional argument takes the text that ends in _all.
//
//go:embed prompts
var promptTexts embed.FS

func promptText(name string) string {
	text, err := promptTexts.ReadFile("prompts/" + name + ".md")
	if err != nil {
		panic("tools: " + err.Error()) // a test reads all of them
	}
	return strings.TrimSuffix(string(text), "\n")
}

func argument(name, description string, options ...mcp.ArgumentOption) mcp.PromptOption {
	return mcp.WithArgument(name, append(options, mcp.ArgumentDescription(description))...)
}

func prompts() []mcp.Prompt {
	tenant := argument("tenant", "Tenant name from list_tenants.", mcp.RequiredArgument())
	partner := argument("partner_id", "Your partner ID (MPN ID).", mcp.RequiredArgument())
	return []mcp.Prompt{
		mcp.NewPrompt("claim_tenant", mcp.WithPromptTitle("Claim a tenant"),
			mcp.WithPromptDescription("Link your partner ID in a tenant that has none yet."), tenant, partner),
		mcp.NewPrompt("audit_links", mcp.WithPromptTitle("Audit the links"),
			mcp.WithPromptDescription("Go through all tenants and report what is linked, what is not, and what is unknown."),
			argument("partner_id", "The partner ID that should be linked; default: each tenant's expected one.")),
		mcp.NewPrompt("reseller_transition", mcp.WithPromptTitle("Move links to another partner ID"),
			mcp.WithPromptDescription("Replace one partner ID with another, in one tenant or in all, without a gap."),
			argument("tenant", "Tenant name from list_tenants; default: all tenants."),
			argument("from", "The partner ID that is linked now.", mcp.RequiredArgument()),
			argument("to", "The new partner ID.", mcp.RequiredArgument())),
		mcp.NewPrompt("compliance_check", mcp.WithPromptTitle("Check a tenant for compliance"),
			mcp.WithPromptDescription("Compare what is linked in a tenant with what should be, and say what was not checked."), tenant),
	}
}

func answerPrompt(prompt mcp.Prompt, arguments map[string]string) (*mcp.GetPromptResult, error) {
	name := prompt.Name
	for _, argument := range prompt.Arguments {
		switch {
		case arguments[argument.Name] != "":
		case argument.Required:
			return nil, fmt.Errorf("%w: prompt %s needs the argument %s", mcp.ErrInvalidParams, prompt.Name, argument.Name)
		default:
			name += "_all"
		}
	}
	text := os.Expand(promptText(name), func(argument string) string { return strconv.Quote(arguments[argument]) })
	return mcp.NewGetPromptResult(prompt.Description, []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text))}), nil
}

// Instructions is what an agent reads when it connects: what the tools are for,
// which partner IDs are the partner's own, and whether anything can be written.
func (s *Service) Instructions() string {
	own := "\nThe user's own partner IDs are unknown (setting partner-ids): ask before you call a link correct."
	if ids := s.deps.Guard.Bounds().PartnerIDs; len(ids) > 0 {
		own = "\nThe user's own partner IDs: " + strings.Join(ids, ", ") + ". A link to any other ID is another partner's; say so."
	}
	text := promptText("instructions") + own
	if !s.deps.Guard.WritesAllowed() {
		text += "\nWrites are off on this server: register_partner, update_partner and remove_partner are refused, ensure_partner_links and transition_partner only plan. To turn writes on, the user runs: " + s.allowWrites()
	}
	return text
}

// allowWrites is the command with which a person switches writes on for the
// client that started this server.
func (s *Service) allowWrites() string { return s.deps.Command + " install CLIENT -- --allow-writes" }

// writesOff begins the description of a tool that writes, where it cannot.
const writesOff = "Writes are off on this server. "
