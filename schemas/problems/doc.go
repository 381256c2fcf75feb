// Package problems is the closed list of ways in which a call can be refused or
// fail, and the only error that reaches a client.
package problems
