// Package search finds the operation that an utterance means.
//
// It is a pure function over the catalogue: no input or output, no model, no
// clock. An utterance is folded and cut into tokens, its entities (partner IDs,
// tenants) are taken out, its words are read as concepts through one lexicon a
// language, the concepts are read as a wish (what to do, and whether it was
// negated or merely asked about), and operations are ranked by how well their
// card fits the wish and how near their wording is (BM25F). What no operation
// here does gets no match, and the name of the place where it is done.
//
// Two rules hold whatever the ranking says: a tool that writes stands first
// only when a word asks for that writing, and a tool that destroys only when a
// destroying word does.
package search
