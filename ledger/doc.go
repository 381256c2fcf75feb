// Package ledger keeps what the guard must not forget in one SQLite file of
// the state directory, or in PostgreSQL: the tickets, the approvers, the freeze, and the record of
// everything asked, approved, done and refused. It implements guard.Store.
//
// # What it shows
//
// The record is tamper-evident given a head kept elsewhere. Each entry carries
// two links to the one before it:
//
//   - hash, a SHA-256 chain that anybody can follow. A signed Head names its
//     end, so whoever has an export, the head and the public key can check the
//     export without any secret (VerifyExport).
//   - mac, an HMAC-SHA256 chain under a key of the vault. Whoever has the file
//     alone can recompute the first chain and not the second (Verify).
//
// The rows that hold tickets, approvers and the freeze carry a MAC as well, and
// name the entry that changed them last. A row that was edited, or put back
// from an older copy, counts as not there; for the freeze it counts as pulled.
//
// The vault remembers how far the record had come. It is told before a call
// returns that spends or decides a ticket, records an intent, or changes the
// freeze or the approvers; of other entries it learns with the next such call,
// and when the ledger closes. An older file that is put back is noticed when it
// is opened or next written: all its tickets are voided, an entry says how many
// entries are gone, and numbering goes on where it had been, so that no number
// is given twice. Freeze and approvers are then as they were in that older
// file, which the entry says.
//
// Before a ticket is spent or decided, all entries since it changed last are
// compared with the authenticated chain, so that an older copy of its row has
// no effect even where the entry about the change was removed. So it is before
// each step of a run. For the freeze and the approvers, which may be years old,
// only Verify looks at all of it.
//
// It does not stop anybody who has both the file and the vault's key, and a
// tail that was cut off together with an older vault is found only with a head
// that was kept elsewhere.
//
// # What it costs
//
// A write is one transaction and is on the disk when the call returns. Counts of tokens are kept in memory for
// up to a minute, and of refusals that came before for up to ten; a crash loses
// them, by design, and nothing else. Every call asks for the freeze and for its
// token. One look tells whether anything was committed since they were read, and
// calls that come while one is under way share the next. Nothing is opened or read before the first use.
//
// The record holds personal data: who called and approved, the operating-system
// account of a requester, and reasons that people typed. Prune removes it by
// age.
package ledger
