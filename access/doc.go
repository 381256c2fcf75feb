// Package access answers what may happen: what a caller was given, the bounds of
// the operator, and the rules of the policy, asked about one Subject. It remembers
// nothing. Package guard asks it, and says how what may happen is confirmed.
package access
