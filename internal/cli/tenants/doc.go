// Package tenants has the commands of the directory of tenants.
package tenants
