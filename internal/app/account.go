package app

import (
	"os/user"
)

// Account names the operating-system account of this process, for the record:
// its name and its ID, because a name may be given to somebody else later.
func Account() string {
	now, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return now.Username + " (" + now.Uid + ")"
}
