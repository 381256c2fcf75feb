package problems_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mcp-partner/schemas/problems"
)

func TestCodesAreClosedAndHaveMessages(t *testing.T) {
	t.Parallel()
	seen := map[problems.Code]bool{}
	for _, info := range problems.Codes() {
		if seen[info.Code] {
			t.Errorf("%s stands twice", info.Code)
		}
		seen[info.Code] = true
		if info.Meaning == "" || info.Hint == "" {
			t.Errorf("%s has no meaning or hint", info.Code)
		}
		if strings.ToLower(string(info.Code)) != string(info.Code) {
			t.Errorf("%s is not in lower case", info.Code)
		}
	}
	if problem := problems.As(json.Unmarshal([]byte("{"), new(int))); problem.Code != problems.CodeInternal {
		t.Errorf("a foreign error became %s", problem.Code)
	}
	if problems.As(nil) != nil {
		t.Error("no error became a problem")
	}
}
