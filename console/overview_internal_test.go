package console

import (
	"strings"
	"testing"

	"mcp-partner/internal/page"
)

func TestCredentialThatEndsFirstIsTheFirstTask(t *testing.T) {
	t.Parallel()
	tasks := expiring(map[string]string{"late": "2026-12-30T00:00:00Z", "<i>soon": "2026-12-02T00:00:00Z", "also-late": "2026-12-30T00:00:00Z"})
	var text strings.Builder
	for _, task := range tasks {
		if err := page.El("li", task.what).Render(&text); err != nil || task.row != nil {
			t.Fatal(err, task.row)
		}
	}
	order := []int{-1}
	for _, name := range []string{"&lt;i&gt;soon", "2026-12-02", "also-late", "<bdi>late"} {
		if at := strings.Index(text.String(), name); at <= order[len(order)-1] {
			t.Errorf("%s is at %d after %v: %s", name, at, order, text.String())
		} else {
			order = append(order, at)
		}
	}
}
