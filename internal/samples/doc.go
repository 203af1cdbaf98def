// Package samples makes of a data set's labelled pictures what training and evaluation work on.
//
//	set.go       Open: every picture's hash, its class's number, its object's mask on the model's grid
//	split.go     which samples are trained on, watched and measured on
//	scan.go      picture files for a scan
//	mask.go      finding an object's mask, and averaging it over the grid
//
// Training, fine-tuning, evaluation and benchmarks read folders through it. Rounds of a project have a database instead: their
// samples are made by internal/jobs.
package samples
