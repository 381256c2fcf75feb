// Package schedules has the commands of audits that recur.
package schedules
