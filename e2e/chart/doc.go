// Package chart renders and lints the Helm chart with Helm's own code, and starts the
// program with what was rendered.
package chart
