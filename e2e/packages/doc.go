// Package packages checks what a release is made of: goreleaser's
// configuration, the image, the composition, the bundle, the registry's entry,
// and that a build is the same when it is made again. It is a module of its own,
// so that what it reads these files with is no part of the program.
package packages
