// Package credential turns what a person says about a credential into its
// settings: the kind, the client ID and where the secret comes from.
package credential
