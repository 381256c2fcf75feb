package docs_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/cli"
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
	if exit != cli.ExitDone {
		t.Fatalf("the demo ended with %d:\n%s", exit, out)
	}
	session := stepsOf(out, "3", "4", "10")
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
			session = append(session, said{who, what})
		}
	}
	return session
}

// picture is the session as SVG.
func picture(session []said) string {
	var b strings.Builder
	y := 2*margin + linePitch
	for _, s := range session {
		if s.who == "you" {
			y += linePitch / 2
		}
		for i, line := range wrap(s.what, lineLength) {
			if i == 0 {
				b.WriteString(text(margin, y, "#8b949e", s.who))
			}
			b.WriteString(text(margin+labelColumn*charWidth, y, colourOf(s.who), line))
			y += linePitch
		}
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="A session of mcp-partner">`+"\n", pictureWidth, y)
	frame := fmt.Sprintf(`<rect width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", pictureWidth, y)
	return head + frame + `<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">` + "\n" +
		text(margin, margin+4, "#8b949e", "mcp-partner demo") + b.String() + "</g>\n</svg>\n"
}

func text(x float64, y int, colour, line string) string {
	return fmt.Sprintf(`<text x="%g" y="%d" fill="%s">%s</text>`+"\n", x, y, colour, html.EscapeString(line))
}

func colourOf(who string) string {
	switch who {
	case "you", "typed":
		return "#f0f6fc"
	case "asks":
		return "#d29922"
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
