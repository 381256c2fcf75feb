package app

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// The message for Teams holds one Adaptive Card of elements and values that version
// 1.4 of its schema has, as wide as the channel, and nothing that makes a mention.
func TestCardForTeamsFollowsItsSchema(t *testing.T) {
	t.Parallel()
	body, err := announce(pendingTicket(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), guard.Plan{}, "https://partner.example/approvals/").chat().teams()
	if err != nil {
		t.Fatal(err)
	}
	type run struct{ Type, Text, Weight string }
	type element struct {
		Type    string
		Inlines []run
	}
	type action struct{ Type, Title, URL string }
	var message struct {
		Type        string
		Attachments []struct {
			ContentType string
			ContentURL  *string
			Content     struct {
				Schema        string `json:"$schema"`
				Type, Version string
				Body          []element
				Actions       []action
				MSTeams       struct{ Width string }
			}
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&message); err != nil || message.Type != "message" || len(message.Attachments) != 1 || message.Attachments[0].ContentURL != nil {
		t.Fatalf("%v: %s", err, body)
	}
	card := message.Attachments[0].Content
	if message.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || card.Schema != "http://adaptivecards.io/schemas/adaptive-card.json" ||
		card.Type != "AdaptiveCard" || card.Version != "1.4" || card.MSTeams.Width != "Full" || len(card.Body) < 5 {
		t.Errorf("%s", body)
	}
	for _, e := range card.Body {
		if e.Type != "RichTextBlock" || len(e.Inlines) != 1 || e.Inlines[0].Type != "TextRun" || e.Inlines[0].Text == "" || !slices.Contains([]string{"Default", "Bolder"}, e.Inlines[0].Weight) {
			t.Errorf("%+v", e)
		}
	}
	if want := []action{{"Action.OpenUrl", "Open the approval", "https://partner.example/approvals/ap_1"}}; !slices.Equal(card.Actions, want) {
		t.Errorf("actions: %+v", card.Actions)
	}
}

// Every text stays within what a chat takes, however long others made theirs.
func TestLongTextsAreCutForChats(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\U0001F600", 5000)
	plan := guard.Plan{Tool: schemas.ToolEnsurePartnerLinks, To: "1234567"}
	for range 100 {
		plan.Rows = append(plan.Rows, guard.PlanRow{Identity: answers.Identity{Tenant: "contoso"}, Company: long, Steps: []runs.Step{runs.StepCreate}})
	}
	a := announce(guard.Ticket{ID: "ap_1", Requester: long, Plan: &guard.PlanHead{}, Intent: guard.Intent{Tool: plan.Tool, Caller: access.Caller(long), Company: long, Reason: long}}, plan, "https://partner.example/approvals/")
	for _, format := range []string{"slack", "teams"} {
		body, err := webhookFormats()[format](a)
		if err != nil || len(body) > 28_000 {
			t.Fatal(format, len(body), err)
		}
		var message any
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatal(err)
		}
		eachObject(message, func(o map[string]any) {
			if text, ok := o["text"].(string); ok && (text == "" || len(utf16.Encode([]rune(text))) > 3000) {
				t.Errorf("%s: a text of %d characters", format, len(text))
			}
		})
	}
}

// In chats, what others wrote stands only where no client reads markup, and the one
// link is ours.
func TestWebhookChatsShowUntrustedTextAsText(t *testing.T) {
	t.Parallel()
	removal := pendingTicket(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	removal.Intent.Tool, removal.Intent.PartnerID = schemas.ToolRemovePartner, "1234567"
	for format, inert := range map[string]string{"slack": `"type":"plain_text"`, "teams": `"type":"TextRun"`} {
		for question, ticket := range map[string]guard.Ticket{
			"Replace partner ID 1234567 with 7654321 for identity": pendingTicket(removal.ExpiresAt),
			"Remove the link to partner ID 1234567 for identity":   removal,
		} {
			body, err := webhookFormats()[format](announce(ticket, guard.Plan{}, "https://partner.example/approvals/"))
			if err != nil {
				t.Fatal(err)
			}
			var message any
			if err := json.Unmarshal(body, &message); err != nil {
				t.Fatal(err)
			}
			eachObject(message, func(o map[string]any) {
				text, _ := o["text"].(string)
				foreign := strings.Contains(text, "evil.example") || strings.Contains(text, "nightly")
				if foreign && o["type"] != "plain_text" && o["type"] != "TextRun" {
					t.Errorf("%s: %q is in %v", format, text, o["type"])
				}
			})
			all := string(body)
			if !strings.Contains(all, inert) || strings.Count(all, "://") != strings.Count(all, "https://partner.example/approvals/ap_1")+strings.Count(all, "http://adaptivecards.io") {
				t.Errorf("%s: %s", format, all)
			}
			for _, part := range []string{"nightly", "contoso", "1234567", "Reason given", "Question: " + question, "Expires: 2030-01-02T03:04:05Z"} {
				if !strings.Contains(all, part) {
					t.Errorf("%s does not name %s: %s", format, part, all)
				}
			}
			if strings.Contains(all, "New partner ID") != (ticket.Intent.Tool == schemas.ToolUpdatePartner) {
				t.Errorf("%s of %s: %s", format, ticket.Intent.Tool, all)
			}
		}
	}
}

// eachObject visits every object of a JSON value.
func eachObject(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, member := range v {
			eachObject(member, visit)
		}
	case []any:
		for _, item := range v {
			eachObject(item, visit)
		}
	}
}

func TestPeopleAreLedToThePageOfAnApproval(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Settings{
		"":                                   {Console: true},
		"https://partner.example/approvals/": {PublicURL: "https://partner.example"},
		"https://partner.example/console/approvals/": {PublicURL: "https://partner.example", Console: true},
	} {
		if got := s.approvalsURL(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
