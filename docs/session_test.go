package docs_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sessionPicture is what the README shows first.
const sessionPicture = "session.svg"

// The picture's measures in pixels, and how many characters go into a line.
const (
	pictureWidth, linePitch, charWidth, margin = 880, 20, 7.8, 24
	labelColumn, lineLength                    = 10, 96
)

var demoStep = regexp.MustCompile(`^ ?(\d+)\. (.*)$`)

// said is one thing that somebody said in a session.
type said struct{ who, what string }

// TestSessionPicture draws three steps of the demo as they really went.
func TestSessionPicture(t *testing.T) {
	t.Parallel()
	out, exit := run("demo")
	if exit != 0 {
		t.Fatalf("the demo ended with %d:\n%s", exit, out)
	}
	session := stepsOf(out, "3", "4", "12")
	for _, who := range []string{"you", "call", "asks", "typed", "done", "refused"} {
		if !slices.ContainsFunc(session, func(s said) bool { return s.who == who }) {
			t.Errorf("nobody is %s in the picture", who)
		}
	}
	same(t, sessionPicture, picture(session))
}

// stepsOf takes what was said in some steps of the demo.
func stepsOf(demo string, numbers ...string) []said {
	var session []said
	shown := false
	for line := range strings.SplitSeq(demo, "\n") {
		if step := demoStep.FindStringSubmatch(line); step != nil {
			if shown = slices.Contains(numbers, step[1]); shown {
				session = append(session, said{"you", step[2]})
			}
			continue
		}
		who, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if shown && who != "" && who != "ok" && who != "link" {
			session = append(session, said{who, strings.TrimSpace(what)})
		}
	}
	return session
}

// picture is the session as SVG.
func picture(session []said) string {
	d := &drawing{y: 2*margin + linePitch}
	for i, s := range session {
		switch {
		case s.who == "asks" && i+1 < len(session):
			d.form(s.what, session[i+1].what)
		case s.who != "typed":
			d.line(s)
		}
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="A session of mcp-partner">`+"\n", pictureWidth, d.y)
	frame := fmt.Sprintf(`<rect width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", pictureWidth, d.y)
	return head + frame + `<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">` + "\n" +
		text(margin, margin+4, grey, "mcp-partner demo") + d.String() + "</g>\n</svg>\n"
}

// drawing grows downwards.
type drawing struct {
	strings.Builder
	y int
}

// line draws what one side of the session said.
func (d *drawing) line(s said) {
	if s.who == "you" {
		d.y += linePitch / 2
	}
	d.WriteString(text(margin, d.y, grey, s.who))
	for _, line := range wrap(shorten(s.what), lineLength) {
		d.WriteString(text(margin+labelColumn*charWidth, d.y, colourOf(s.who), line))
		d.y += linePitch
	}
}

// form draws a question as a client shows it: the text, the field with what the
// person typed, and two buttons.
func (d *drawing) form(question, typed string) {
	lines := wrap(shorten(question), lineLength-4)
	left, inner := margin+labelColumn*charWidth, margin+(labelColumn+2)*charWidth
	d.WriteString(box(left, d.y-4, lineLength*charWidth, (len(lines)+3)*linePitch-4, "#161b22"))
	d.WriteString(text(margin, d.y+linePitch-6, grey, "form"))
	d.y += linePitch - 6
	for _, line := range lines {
		d.WriteString(text(inner, d.y, "#f0f6fc", line))
		d.y += linePitch
	}
	d.WriteString(text(inner, d.y, grey, "Type the partner ID to confirm"))
	d.y += linePitch + 4
	d.WriteString(box(inner, d.y-14, 16*charWidth, linePitch, "#0d1117") + text(inner+charWidth, d.y, "#f0f6fc", typed))
	d.WriteString(button(inner+20*charWidth, d.y, "Accept", "#238636") + button(inner+32*charWidth, d.y, "Decline", "#21262d"))
	d.y += linePitch + 16
}

const grey = "#8b949e"

var longGUID = regexp.MustCompile(`\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

// shorten leaves the first group of each GUID.
func shorten(text string) string { return longGUID.ReplaceAllString(text, "$1…") }

func box(x float64, y int, width float64, height int, fill string) string {
	return fmt.Sprintf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="6" fill="%s" stroke="#30363d"/>`+"\n", x, y, width, height, fill)
}

func button(x float64, y int, label, fill string) string {
	return box(x, y-14, 10*charWidth, linePitch, fill) + text(x+charWidth, y, "#f0f6fc", label)
}

func text(x float64, y int, colour, line string) string {
	return fmt.Sprintf(`<text x="%.1f" y="%d" fill="%s">%s</text>`+"\n", x, y, colour, html.EscapeString(line))
}

func colourOf(who string) string {
	switch who {
	case "you":
		return "#f0f6fc"
	case "done":
		return "#3fb950"
	case "refused", "failed":
		return "#f85149"
	}
	return "#79c0ff"
}

// wrap breaks a text between words.
func wrap(text string, length int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		if *last != "" && len(*last)+1+len(word) > length {
			lines = append(lines, word)
			continue
		}
		*last = strings.TrimSpace(*last + " " + word)
	}
	return lines
}
