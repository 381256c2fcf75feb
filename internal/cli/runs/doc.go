// Package runs has the commands that write to many tenants: ensure and
// transition.
package runs
