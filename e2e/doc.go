// Package e2e judges the whole program from outside: its tests build the real
// binary, start it as clients and people do, and look at what comes out. It has
// no code of its own. The lanes below it that need Node are run by .ci/run.
package e2e
