package render

import (
	"bytes"
	"strings"
	"testing"

	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// TestRenderingEscapesEverything puts hostile text into every field of an
// envelope.
func TestRenderingEscapesEverything(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b[31m\u202ey"
	version := int64(1)
	link := &answers.Link{State: answers.LinkLinked, PartnerID: evil, PartnerName: evil, Version: &version, UpdatedTime: evil, ExpectedPartnerID: evil, Reason: evil}
	envelope := answers.Envelope{
		Status: answers.StatusFailed, Summary: evil,
		Identity: &answers.Identity{TenantID: evil, Tenant: evil, ObjectID: evil, Cloud: evil, Credential: evil},
		Link:     link, Before: link, After: link, NextCursor: evil,
		Operations: []answers.ProviderOperation{{Name: evil, Operation: evil, Description: evil}},
		Tenants:    []answers.TenantRow{{Name: evil, TenantID: evil, DisplayName: evil, Labels: []string{evil}}},
		Matches:    []answers.Match{{Tool: schemas.ToolCheckPartnerLink, Why: evil, Arguments: map[string]any{"partner_id": evil}}},
		OutOfScope: &answers.Scope{Out: &answers.OutOfScope{Reason: evil, UseInstead: []answers.UseInstead{{Name: evil, WhatFor: evil}}}},
		Plan:       []answers.PlannedRequest{{Method: evil, URL: evil, When: evil}},
		Approval:   &answers.Approval{ID: evil, State: evil, How: evil},
		Problem:    &problems.Problem{Code: evil, Message: evil, Hint: evil, Foreign: evil, ForeignCode: evil, ARMRequestID: evil, CorrelationID: evil, RetryAfterSeconds: 3},
	}
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		WriteEnvelope((&term.UI{Out: &out, Color: color}), envelope)
		shown := out.String()
		for _, own := range []term.Style{term.Bold, term.Dim, term.Good, term.Warn, term.Bad} {
			shown = strings.ReplaceAll(shown, "\x1b["+string(own)+"mx<", "x<")
		}
		if strings.Contains(shown, "\x1b[31my") || strings.Contains(shown, "\u202e") || strings.Contains(shown, "x\x1b") {
			t.Errorf("color %v: hostile text came through:\n%q", color, shown)
		}
		if !color && strings.Contains(shown, "\x1b") {
			t.Errorf("escape sequences without colour:\n%q", shown)
		}
		if n := strings.Count(shown, "<U+202E>") + strings.Count(shown, `\u202e`); n < 30 {
			t.Errorf("color %v: only %d of the fields are shown", color, n)
		}
	}
}

// Reasons of rows name tools to agents, and commands to people.
func TestChangesNameCommands(t *testing.T) {
	t.Parallel()
	for why, want := range map[string]string{
		"Registering never overwrites; transition_partner moves a link.": "Registering never overwrites; mcp-partner transition moves a link.",
		"Not linked; ensure_partner_links registers one.":                "Not linked; mcp-partner ensure registers one.",
		"The rule only-ensure_partner_links denies it.":                  "The rule only-ensure_partner_links denies it.",
	} {
		var out bytes.Buffer
		WriteChanges(&term.UI{Out: &out}, []answers.ChangeRow{{Tenant: "contoso", Why: why}})
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is shown as\n%s", why, out.String())
		}
	}
}
