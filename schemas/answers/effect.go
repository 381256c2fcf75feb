package answers

// Effect is what an operation may do to the link.
type Effect string

// The effects. EffectDestroy covers whatever overwrites or removes something.
const (
	EffectRead    Effect = "read"
	EffectWrite   Effect = "write"
	EffectDestroy Effect = "destroy"
)

// Writes reports whether the effect needs a permit.
func (e Effect) Writes() bool { return e != EffectRead }
