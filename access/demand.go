package access

import "fmt"

// Demand is what a rule wants beside the word of one approver. The zero value is
// nothing.
type Demand struct {
	// Passkey lets only decisions count that a passkey signed.
	Passkey bool `json:"passkey,omitempty"`
	// Approvers is how many different people have to approve, where that is not one.
	Approvers int `json:"approvers,omitempty"`
}

// and is what two rules want together.
func (d Demand) and(other Demand) Demand {
	return Demand{d.Passkey || other.Passkey, max(d.Approvers, other.Approvers)}
}

// String words a demand as it goes behind a ruling.
func (d Demand) String() string {
	words := ""
	if d.Passkey {
		words = ", with a passkey"
	}
	if d.Approvers > 1 {
		words += fmt.Sprintf(", %d approvers", d.Approvers)
	}
	return words
}
