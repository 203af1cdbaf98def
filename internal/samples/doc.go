// Package samples turns the labelled pictures of a data set into samples for training and evaluation.
//
//	set.go       Open: every picture's hash, its class's number, its object's mask on the model's grid
//	split.go     which samples are for training, for validation and for measuring
//	scan.go      picture files for a scan
//	mask.go      finding an object's mask, and averaging it over the grid
//
// Training, fine-tuning, evaluation and benchmarks read folders through it. Rounds of a project have a database instead: their
// samples are made by internal/jobs.
package samples
