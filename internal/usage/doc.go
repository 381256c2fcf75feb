// Package usage reads what Microsoft billed for Azure usage, and joins it with
// partner links and roles: which subscriptions have partner earned credit, and
// what is missing in the others.
//
// It takes Partner Center's daily rated usage and Cost Management's exports of a
// partner's billing scope. A file is read as a stream; only sums are kept.
package usage
