// Package guide holds the examples of the painters' guide: one picture of Aviary that the demo's network gets wrong, maps of it, good and
// bad, and what the network answers with each in the place of its own.
//
//	guide.go  the examples as committed (examples.json), and the file of their picture
//	page/     the command that makes both; make guide runs it
package guide
