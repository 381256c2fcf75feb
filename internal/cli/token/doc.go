// Package token has the commands of invocation tokens.
package token
