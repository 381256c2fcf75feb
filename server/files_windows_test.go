package server_test

import "testing"

// idleConnections is how many connections a test opens where files are not
// limited.
func idleConnections(*testing.T) int { return 10_000 }
