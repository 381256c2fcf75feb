// Package answers is everything that a tool can answer: the envelope and the
// rows in it, of links, tenants, audits, changes and roles.
package answers
