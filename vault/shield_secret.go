//go:build goexperiment.runtimesecret

package vault

import "runtime/secret"

// shielded runs work that handles a key, and wipes what it leaves on the stack,
// in registers and, once it is unreachable, on the heap.
func shielded(work func()) { secret.Do(work) }
