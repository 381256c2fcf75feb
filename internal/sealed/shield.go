//go:build !goexperiment.runtimesecret

package sealed

// Shielded runs work that handles a key. Built with GOEXPERIMENT=runtimesecret
// it wipes what the work leaves on the stack, in registers and on the heap.
func Shielded(work func()) { work() }
