// Package deptest holds the plan of the house as a test: who may import whom,
// each with its reason. It has no code of its own.
package deptest
