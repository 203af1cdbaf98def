// Package annotator is the studio's domain: projects, images, tasks, leases, edits, reviews, rounds
// and model versions; who may do what, and which state follows which. It knows no SQL, no HTTP and no
// ONNX: adapters import it, it imports none of them.
//
//	task    open → leased → submitted → approved | changes-requested → leased (same author) …  | skipped
//	edit    append-only revisions; draft → submitted → approved | rejected
//	round   queued → training → evaluating → finished | cancelled | failed
//	version candidate → active → archived; exactly one active per project
//	upload  inspected → adding → added | refused
//	job     queued → running → finished | failed | cancelled
//
// Service is the one way in: the pages, the JSON API, the command line and the workers call the same methods, each of which
// checks the actor's role, or the worker's claim, first. It is one type, not one per aggregate: many methods change several
// aggregates in one transaction, and one test walks all methods of Service and fails on a change that leaves no line in the trail.
//
// Behind Service stand Store (the database), Scorer (live scores), ActivationMapper (CAM and Grad-CAM), Pictures (what an image
// looks like to the model), Blobs (files by their hash) and Models (model files on their way in).
//
// A rule is a method of the aggregate it is about, or a function: it is given what there is, and returns what becomes of it. It
// asks no database, and its test is a table. Who calls it, a use case or the store, has locked what it is about.
//
//	round_state.go, task_state.go, version_state.go, upload.go, job.go, scan.go   which state follows which, and who may bring that about
//	class.go                                                which class is which, and when a project's may change
//	project.go, task.go, round.go, user.go, prediction.go, model_report.go   what there is
//	error.go, ports.go, service.go                          errors, what stands behind, NewService
//	mechanism.go, unreadable.go, worker.go                  what is said of a gain, of pictures that cannot be read, of a worker
//	sync.go                                                 what a second import does about an image
//	people.go, password.go, token.go, catalog.go, importing.go, seeding.go, starting.go, leasing.go, drafting.go, reviewing.go,
//	fine_tuning.go, uploading.go, versions.go, download.go, state_dict.go, activation_map.go
//	                                                        the use cases, each with the store it needs
package annotator
