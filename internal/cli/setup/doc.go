// Package setup has the command of the first run.
package setup
