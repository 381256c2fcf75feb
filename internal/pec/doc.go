// Package pec answers whether an identity holds an Azure role that is eligible
// for partner earned credit: the list of roles, the verdict on a subscription,
// and the reading of what the verdict needs.
//
// It never says that a subscription is credited. Other identities may qualify a
// subscription, and Microsoft decides elsewhere what it credits.
package pec
