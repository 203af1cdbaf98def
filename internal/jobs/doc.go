// Package jobs is the studio's background work, on River: imports, scans, rounds and evaluations. A Worker takes jobs
// from the database; as many may run, on as many machines, as wanted.
//
//	worker.go    Worker: start, stop, heartbeat, rescue of what dead workers left
//	store.go     Store: what workers need of the database
//	import.go    a folder or data set → images of a project
//	intake.go    Models: ONNX files on their way in; model_report.go says what one is, without running it
//	inspection.go  the process that looks at an uploaded file, seen from the studio; inspect_upload.go is what it does, and
//	             confine_*.go are its limits
//	handout.go   Models: versions on their way out; state_dict.go makes their weights for PyTorch, in such a process too
//	trial.go     running a network once, before it becomes a version; upload.go is the job that does so for an upload
//	scan.go      chunks of images → predictions and maps
//	round.go     approved edits → candidate, control, and what the maps were worth
//	evaluate.go  a version's figures over the labelled splits
//	tidy.go      what nothing refers to any more, removed every few hours
//	catalog.go   opening models and pictures by their content hash
//
// Import and AddModel also run outside a Worker: the command line calls them in its own process.
package jobs
