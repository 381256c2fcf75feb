// Package sim has the commands around the simulated Azure: simulate and demo.
package sim
