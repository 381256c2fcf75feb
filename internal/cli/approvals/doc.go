// Package approvals has the commands that decide what may be written:
// approvals, approvers, freeze, unfreeze and policy.
package approvals
