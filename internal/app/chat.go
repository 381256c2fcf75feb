package app

import "encoding/json"

// notice is what a channel gets: its own JSON for programs, or a chat's.
type notice interface{ chat() chat }

// chat is a notice for people. Lines are plain text and hold what others wrote;
// Title and Link are ours.
type chat struct {
	Title string
	Lines []string
	// URL is where a person goes on, or "", and Link what it is called.
	URL, Link string
}

// object is a JSON object of somebody else's form.
type object map[string]any

func webhookFormats() map[string]func(notice) ([]byte, error) {
	return map[string]func(notice) ([]byte, error){
		"json":  func(n notice) ([]byte, error) { return json.Marshal(n) },
		"slack": func(n notice) ([]byte, error) { return n.chat().slack() },
		"teams": func(n notice) ([]byte, error) { return n.chat().teams() },
	}
}

// slack shows everything that is not ours in plain_text, in which Slack reads
// neither mentions nor links. The text outside of the blocks, which it does read,
// goes into notifications. A block has room for 3 000 characters.
func (c chat) slack() ([]byte, error) {
	var blocks []object
	for _, line := range c.Lines {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "plain_text", "text": line, "emoji": false}})
	}
	if c.URL != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": "<" + c.URL + "|" + c.Link + ">", "verbatim": true}})
	}
	return json.Marshal(object{"text": c.Title, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

// teams makes an Adaptive Card. Runs of a RichTextBlock are no Markdown, as a
// TextBlock would be.
func (c chat) teams() ([]byte, error) {
	var body []object
	for i, line := range c.Lines {
		body = append(body, object{"type": "RichTextBlock", "inlines": []object{{"type": "TextRun", "text": line, "weight": map[bool]string{true: "Bolder", false: "Default"}[i == 0]}}})
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "msteams": object{"width": "Full"}}
	if c.URL != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": c.Link, "url": c.URL}}
	}
	return json.Marshal(object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}})
}
