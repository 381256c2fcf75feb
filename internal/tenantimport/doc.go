// Package tenantimport plans how the rows of a CSV file change the directory of
// tenants.
package tenantimport
