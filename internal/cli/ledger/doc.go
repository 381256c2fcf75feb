// Package ledger has the commands of the record.
package ledger
