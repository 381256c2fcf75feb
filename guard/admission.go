package guard

// Admission is what becomes of a write that somebody wants, exactly one of:
// Granted for one request, OpenRun for a plan, Asked, Waiting, and Refusal.
type Admission interface{ admission() }

// Granted is a permit with the place of its intent in the record, which the
// outcome refers to.
type Granted struct {
	Permit Permit
	Record int64
}

// Asked is a question to the person at the client. Its answer has to bring the
// seal back.
type Asked struct {
	Question Question
	Seal     Seal
}

// Waiting is a question that waits for an approver. Plan is what it is about, if
// that is a plan.
type Waiting struct {
	Ticket Ticket
	Plan   Plan
}

// Refusal says why there is no write.
type Refusal struct{ Err error }

// RefusalOf returns why an admission is a refusal, or nil for any other.
func RefusalOf(a Admission) error {
	refusal, _ := a.(Refusal)
	return refusal.Err
}

func (Granted) admission() {}
func (OpenRun) admission() {}
func (Asked) admission()   {}
func (Waiting) admission() {}
func (Refusal) admission() {}
