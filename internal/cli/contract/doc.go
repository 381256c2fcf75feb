// Package contract has the command that compares the provider with its
// published contract.
package contract
