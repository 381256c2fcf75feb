// Package csvfile reads the CSV files that people bring: exports of portals,
// spreadsheets and scripts. It streams, so that a file of millions of lines
// takes no more memory than one of ten.
//
// It undoes what has one meaning (byte order marks, UTF-16, line ends of any
// system, "sep=;" and "#TYPE" before the header, composed and decomposed
// letters, invisible characters around a cell) and refuses, with the reason and
// the next step, what is no CSV text at all.
package csvfile
