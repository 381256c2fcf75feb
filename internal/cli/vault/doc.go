// Package vault has the commands of the vault.
package vault
