// Package search finds the operation that an utterance means.
//
// An utterance is folded and cut into tokens, its entities (tenants, partner
// IDs, approvals, runs) are masked, its words are read as concepts through one
// lexicon a language, and all of that becomes features of a linear model with
// one class for each operation and one for "not here". The model is trained by
// search/train and embedded. Nothing is run or asked: an answer depends on the
// words and on the tenants that the caller may see.
//
// Rules stand above the model for what writes: a tool that writes stands first
// only where an un-negated word asks for that writing, one that destroys only
// where a destroying word does, and a question about a past or possible write
// is a read.
package search
