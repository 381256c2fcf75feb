package term

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressBar shows on standard error how far a run is. It does nothing where
// that is no terminal, or one that cannot move its cursor.
type progressBar struct {
	out   io.Writer
	color bool
	began time.Time
	drawn string
}

func (s *Streams) ProgressBar() *progressBar {
	kind, _ := s.Env("TERM")
	if !s.ErrTTY || kind == "dumb" {
		return &progressBar{}
	}
	return &progressBar{out: s.Err, color: colorWanted(s.Env), began: time.Now()}
}

const barWidth = 32

func (b *progressBar) Draw(done, total int) {
	if b.out == nil || total == 0 {
		return
	}
	filled := barWidth * done / total
	bar, rest := strings.Repeat("=", filled), strings.Repeat("-", barWidth-filled)
	if b.color {
		bar, rest = "\x1b[32m"+bar, "\x1b[2m"+rest+"\x1b[0m"
	}
	line := fmt.Sprintf("%s%s %d of %d%s", bar, rest, done, total, b.left(done, total))
	if line != b.drawn {
		_, _ = fmt.Fprintf(b.out, "\r\x1b[K%s", line) // it is decoration
		b.drawn = line
	}
}

// left guesses how long it will take, once there is something to go by.
func (b *progressBar) left(done, total int) string {
	took := time.Since(b.began)
	if done == 0 || done == total || took < 3*time.Second {
		return ""
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	return ", about " + left.Round(time.Second).String() + " left"
}

// Clear takes the bar away, so that what is written next stands alone.
func (b *progressBar) Clear() {
	if b.drawn != "" {
		_, _ = io.WriteString(b.out, "\r\x1b[K")
	}
}

// Note tells something beside the result, on standard error.
func (s *Streams) Note(text string) {
	_, _ = fmt.Fprintf(s.Err, "mcp-partner: note: %s\n", Escape(text)) // there is nobody else to tell
}
