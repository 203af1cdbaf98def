// Package measure says how good networks are, and how sure one can be that one is better than another.
//
//	evaluate.go   a network's answers on samples, and their figures: accuracy, worst group, attention inside the mask
//	drift.go      how far maps moved on images that were right and stay so
//	bootstrap.go  paired intervals of a difference
//	measure.go    what is compared between parent, control and candidate, and the sentence about it
//
// Networks are given as a Forwarder, so that a training engine and a network that is only run are measured in the same way.
package measure
