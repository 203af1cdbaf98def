// Package jobs does the studio's background work, on River: scans, rounds, evaluations, and adding uploaded models. A Worker takes
// jobs from the database. Any number of workers may run, on any number of machines.
//
//	worker.go    Worker: start, stop, heartbeat, rescue of what dead workers left
//	store.go     Store: what workers need of the database
//	import.go    a folder or data set → images of a project; class_name.go makes names that people read from its classes
//	staging.go   Staging: images that a browser or the API sends, kept until they are imported
//	staging_archive.go  making a project of an archive that was sent
//	staging_report.go  what a staged data set is, and small pictures of some of it
//	intake.go    Models: taking in ONNX files; receive.go writes an upload's files to disk, model_report.go says what a model is,
//	             without running it
//	inspection.go  starting a process that inspects an uploaded file; inspect_upload.go is what that process does,
//	             confine_*.go sets its limits
//	handout.go   Models: giving out versions; state_dict.go makes their weights for PyTorch, in such a process too
//	trial.go     running a network once, before it becomes a version; upload.go is the job that does so for an upload
//	scan.go      chunks of images → predictions and maps
//	round.go     approved edits → candidate, control, and how they compare with the parent
//	evaluate.go  a version's figures over the labelled splits
//	fingerprint.go  what pictures look like, to find duplicates across splits
//	delivery.go  lines of the trail → webhooks
//	tidy.go      every few hours, removing files that no row refers to
//	catalog.go   opening models and pictures by their content hash
//	holds.go     the parts of jobs that a worker holds, and letting go of one that another worker took over
//	attempt.go   how an attempt at a part ended; about.go says in the log what a line is about
//	metrics.go   a worker's figures
//	queue_page.go  River's own page of its queues
//
// Imports (ImageImport) and Models.Try run outside a Worker: the command line calls them in its own process, and Staging imports in the
// server's.
package jobs
