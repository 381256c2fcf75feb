//go:build goexperiment.runtimesecret

package sealed

import "runtime/secret"

// WithSecret runs work that handles a key, and wipes what it leaves on the stack,
// in registers and, once it is unreachable, on the heap.
func WithSecret(work func()) { secret.Do(work) }
