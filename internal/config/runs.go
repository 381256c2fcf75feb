package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// KeepRuns returns how long runs without a label are kept; 0 means that the file
// does not say.
func (f File) KeepRuns() time.Duration { return f.keepRuns }

// mostDays is about ten years; more must be a typing error.
const mostDays = 3660

func (f *File) readRuns(node *yaml.Node) error {
	var keep string
	keys := map[string]reader{"keep": then(word(&keep), func() error {
		days, err := strconv.Atoi(strings.TrimSuffix(keep, "d"))
		if !strings.HasSuffix(keep, "d") || err != nil || days < 1 || days > mostDays {
			return errors.New("is not a number of days such as 400d")
		}
		f.keepRuns = time.Duration(days) * 24 * time.Hour
		return nil
	})}
	if err := readKeys(node, keys); err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	return nil
}
