package search

// The concepts of the lexicons that rules ask for; what they say is explained in
// lexicon/any.txt. The others are features of the model only.
const (
	known, stop                                = "known", "stop"
	negates, guard, only, without              = "not", "guard", "only", "without"
	asks, opens, howto, supposes, whichTool    = "ask", "open", "how", "hypo", "whichtool"
	wants, shall, brings, ensures, uses, joins = "want", "shall", "brings", "ensures", "uses", "and"
	been, ahead, nolonger                      = "been", "before", "nolonger"

	reads, enumerates                     = "read", "list"
	registers, updates, removes, repairs  = "register", "update", "remove", "repair"
	linked, updated, removed              = "linked", "updated", "removed"
	lacks, merger, amends, errs           = "lacks", "merger", "amend", "errs"
	pal, mpn, partner, link, id           = "pal", "mpn", "partner", "link", "id"
	tenant, fleet, whoever, every, plural = "tenant", "fleet", "whoever", "every", "plural"
	reach, permission, approval           = "reach", "permission", "approval"
	from, to, oldID, newID, insteadOf, at = "from", "to", "old", "new", "instead", "at"
	counts, otherNumber                   = "count", "notid"
)

// writes reports whether a concept is a verb that changes something.
func writes(concept string) bool {
	return concept == registers || concept == updates || concept == removes
}
