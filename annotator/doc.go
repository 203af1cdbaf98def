// Package annotator is the studio's domain: projects, images, tasks, leases, edits, reviews, rounds
// and model versions; who may do what, and which state follows which. It knows no SQL, no HTTP and no
// ONNX: adapters import it, it imports none of them.
//
//	task    open → leased → submitted → approved | changes-requested → leased (same author) …  | skipped
//	edit    append-only revisions; draft → submitted → approved | rejected
//	round   queued → training → evaluating → finished | cancelled | failed
//	version candidate → active → archived; exactly one active per project
//	upload  inspected → adding → added | refused
//
// Service is the one way in: the pages, the JSON API and the command line call the same methods,
// each of which checks the actor's role first. Store (the database), Scorer (live scores), Pictures
// (what an image looks like to the model), Blobs and Queue (background work) stand behind it.
//
//	project.go, task.go, round.go, user.go, prediction.go, upload.go, model_report.go   what there is
//	error.go, ports.go, service.go                          errors, what stands behind, NewService
//	people.go, password.go, catalog.go, queue.go, drafting.go, reviewing.go, fine_tuning.go, uploading.go, release.go
//	                                                        the use cases, each with the store it needs
package annotator
