package search

import "strings"

// The concepts of the lexicons that code asks for. The others are features of
// the model only. A concept that begins with "!" is a topic of another product,
// and with "!!" a near miss: a phrase of another product that shares its words
// with ours.
const (
	known = "known" // an ordinary word, never a misspelt one
	stop  = "stop"  // shows the language, means nothing

	negates  = "not"      // takes back the verb beside it
	guard    = "guard"    // "change nothing": takes back every writing verb
	only     = "only"     // ends what a negation covers
	asks     = "ask"      // a question word: the rest is asked about
	opens    = "open"     // asks when it opens the sentence
	howto    = "how"      // asks for the way to do it, so the verb stands
	wants    = "want"     // asks for it, so that a participle is a request
	shall    = "shall"    // says what it should be
	supposes = "hypo"     // "what happens if"
	been     = "been"     // makes the verb beside it a state
	ahead    = "before"   // what comes after it is not asked for yet
	nolonger = "nolonger" // with a request, where a link is meant: an end
	joins    = "and"
	brings   = "brings"  // "see to it that": makes a state a request
	ensures  = "ensures" // "ensure": makes it so
	holds    = "state"   // how it is with a link

	reads     = "read"
	registers = "register"
	updates   = "update"
	removes   = "remove"
	linked    = "linked"
	updated   = "updated"
	removed   = "removed"
	repairs   = "repair"  // mends something, without saying how
	lacks     = "lacks"   // says that there is no link
	without   = "without" // says of a noun that there is none
	merger    = "merger"  // why all links change
	uses      = "uses"    // "use 1234567"
	amends    = "amend"   // says what it should be
	errs      = "errs"    // says that it is wrong
	lists     = "list"

	pal        = "pal"
	mpn        = "mpn"
	partner    = "partner"
	link       = "link"
	id         = "id"
	tenant     = "tenant"
	fleet      = "fleet"
	whoever    = "whoever" // everything that, whoever: of tenants
	every      = "every"
	plural     = "plural" // more than one tenant
	reach      = "reach"
	permission = "permission"
	approval   = "approval"
	whichTool  = "whichtool"

	from, to    = "from", "to"
	oldID       = "old"
	newID       = "new"
	insteadOf   = "instead"
	at          = "at"
	counts      = "count"
	otherNumber = "notid"
)

// writes reports whether a concept is a verb that changes something.
func writes(concept string) bool {
	return concept == registers || concept == updates || concept == removes
}

// isManner tells the small words, which mean other things in other languages.
func isManner(concept string) bool {
	switch concept {
	case stop, known, negates, without, only, asks, opens, wants, been, joins, from, to, at, counts, otherNumber, "ours", oldID, newID,
		every, ahead, nolonger, errs, shall, holds, repairs, lacks, whoever, whichTool, uses, brings, ensures, "still":
		return true
	}
	return strings.HasPrefix(concept, "!!")
}
