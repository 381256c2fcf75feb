// Package simulator simulates Microsoft Entra ID and Azure Resource Manager for
// tests and demonstrations.
//
// It keeps the wire contract of api-version 2018-02-01: a link belongs to the
// tenant and the identity of the token that made the call, a DELETE leaves a
// tombstone, etag and version rise together on every write. Where the
// contract does not say what the real service does (the code of a conflict,
// a read after a DELETE, which of the two error shapes) the simulator shows
// each of the possible behaviours in some tenant, so that a client cannot come
// to rely on one of them.
//
// Faults, latency and throttling are part of it. [Config.Faults] draws them
// from the seed, [Simulator.Inject] places them exactly. [Simulator.Link]
// returns the real state of a link, and [Simulator.Journal] every request with
// what it changed.
//
// Nothing here leaves the process except through the listener that
// [Simulator.Start] opens, and no name in it exists outside: domains end in
// .example, the audience in .invalid.
package simulator
