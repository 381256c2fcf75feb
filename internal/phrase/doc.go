// Package phrase formats counts, times, hosts and shell words for sentences.
package phrase
