// Package doctor has the command that checks everything a server needs.
package doctor
