package search

import "strings"

// The concepts that a lexicon may name. A concept that begins with "!" is a
// topic of another product, and with "!!" a near miss: a phrase of another
// product that shares its words with ours.
const (
	stop  = "stop"  // shows the language, means nothing
	known = "known" // an ordinary word that must not be taken for a typing error

	// How something is wished.
	negates  = "not"      // takes back the verb beside it
	without  = "without"  // the one of these that says of a noun that there is none
	guard    = "guard"    // "change nothing", "read-only": takes back every writing verb
	only     = "only"     // ends what a negation covers
	asks     = "ask"      // a question word: the rest is asked about
	opens    = "open"     // asks when it opens the sentence
	howto    = "how"      // asks for the way to do it, so the verb stands
	wants    = "want"     // asks for it, so that a participle is a wish
	supposes = "hypo"     // "what happens if"
	been     = "been"     // makes the verb beside it a state
	ahead    = "before"   // what comes after it is not asked for yet
	nolonger = "nolonger" // with a wish, and where a link is meant: an end
	joins    = "and"

	// Verbs, and what has been done by them.
	reads     = "read"
	registers = "register"
	linked    = "linked"
	updates   = "update"
	updated   = "updated"
	removes   = "remove"
	removed   = "removed"
	repairs   = "repair"  // mends something, without saying how
	lacks     = "lacks"   // says that there is no link, or asks for those without one
	uses      = "uses"    // "use 1234567": a wish to link it, if it is one
	brings    = "brings"  // "see to it that": makes a state a wish
	ensures   = "ensures" // "ensure": makes it so where many are meant
	still     = "still"   // asks how it is now
	lists     = "list"
	alters    = "alter" // writes, without saying how
	amends    = "amend" // says what it should be; with what it wrongly is, a change
	errs      = "errs"  // says that it is wrong
	shall     = "shall" // says what it should be, and much else
	holds     = "state" // how it is with a link: no verb, but about one

	// What it is about.
	pal        = "pal"
	mpn        = "mpn"
	partner    = "partner"
	link       = "link"
	id         = "id"
	ours       = "ours"
	tenant     = "tenant"
	newcomer   = "newcomer" // a new customer: a tenant where an ID is named, else a contract to be made
	fleet      = "fleet"
	whoever    = "whoever"   // everything that, whoever: of tenants, if nothing says else
	every      = "every"     // all or each: of tenants or links, a fleet
	plural     = "plural"    // more than one tenant
	namespace  = "namespace" // Microsoft.ManagementPartner by name
	provider   = "provider"  // a provider, not said which
	thisID     = "thisid"    // one ID that is pointed at and not spelt out
	operations = "operations"
	permission = "permission"
	tools      = "tool"
	whichTool  = "whichtool" // asks for the tool, whatever it is to do
	approval   = "approval"
	reach      = "reach"
	expected   = "expected"
	directory  = "directory"
	credit     = "pec"

	// What an entity is.
	from, to    = "from", "to"
	oldID       = "old"
	newID       = "new"
	insteadOf   = "instead"
	at          = "at"
	counts      = "count"
	otherNumber = "notid"
)

// knownConcept keeps a misspelt concept out of a lexicon.
func knownConcept(concept string) bool {
	if topic, ok := strings.CutPrefix(concept, "!"); ok {
		_, ok := topicOf(strings.TrimPrefix(topic, "!"))
		return ok
	}
	switch concept {
	case stop, known, negates, without, guard, only, asks, opens, howto, wants, supposes, been, ahead, nolonger, joins,
		reads, registers, linked, updates, updated, removes, removed, lists, alters, amends, errs, shall, holds, repairs, lacks, uses, brings, ensures, still,
		pal, mpn, partner, link, id, ours, tenant, newcomer, fleet, whoever, every, plural, namespace, provider, thisID, operations, permission,
		tools, whichTool, approval, reach, expected, directory, credit,
		from, to, oldID, newID, insteadOf, at, counts, otherNumber:
		return true
	}
	return false
}

// inCompounds tells concepts that stand inside longer words.
func inCompounds(concept string) bool {
	switch concept {
	case registers, linked, lacks, updates, removes, lists, pal, mpn, partner, link, id, tenant, permission:
		return true
	}
	return strings.HasPrefix(concept, "!")
}

// subject tells the concepts that are kept when they stand inside a longer
// phrase: "which customers" asks, and it is about customers.
func subject(concept string) bool {
	switch concept {
	case pal, mpn, partner, link, linked, lacks, ours, asks, tenant, tools, whichTool, without, operations, permission, namespace:
		return true
	}
	return false
}

// holdsSubject tells the phrases that may have a subject inside.
func holdsSubject(concept string) bool {
	switch concept {
	case fleet, whoever, lists, directory, tools, whichTool, howto, reads, registers, updates, removes, linked, lacks, brings:
		return true
	}
	return false
}
