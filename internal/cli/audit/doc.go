// Package audit has the commands that read many tenants at once.
package audit
