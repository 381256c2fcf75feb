// Package call has the commands that find, describe and call tools.
package call
