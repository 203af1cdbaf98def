// Package annotator is the studio's domain: projects, images, tasks, leases, edits, reviews, rounds
// and model versions; who may do what, and which state follows which. It knows no SQL, no HTTP and no
// ONNX: adapters import it, it imports none of them.
//
// transitions.go has a table of states and events for each aggregate: tasks, edits (revisions of a task's map, which are only added),
// verdicts on labels, rounds, versions, uploads, staged imports, jobs. docs/architecture.md draws them, under State.
//
// Service is the one way in: the pages, the JSON API, the command line and the workers call the same methods, each of which
// checks the actor's role, or the worker's claim, first. It is one type, not one per aggregate: many methods change several
// aggregates in one transaction, and one test walks all methods of Service and fails on a change that leaves no line in the trail.
//
// Behind Service stand Store (the database), Scorer (live scores), ActivationMapper (CAM and Grad-CAM), Likener (which places are alike), Segmenting (the region that clicks mean), Pictures (what an image
// looks like to the model), Blobs (files by their hash), Models (taking in model files) and Staging (images that
// are being sent).
//
// A rule is a method of the aggregate that it is about, or a function. It is given the present state and returns the next one. It
// uses no database, and its test is a table. The caller, a use case or the store, has locked the aggregate's row.
//
//	transitions.go                                          which state follows which, at which event
//	round_state.go, task_state.go, version_state.go, upload.go, job.go, scan.go   who may change it, and what changes with it
//	overlap.go                                              images that several people paint: which, and who may paint and see what
//	class.go                                                finding classes by name, and when a project's classes may change
//	project.go, task.go, round.go, user.go, prediction.go, model_report.go   the types of the domain
//	error.go, ports.go, service.go                          errors, interfaces of the adapters, NewService
//	mechanism.go, unreadable.go, worker.go                  an attention mechanism in words, images that cannot be read, workers
//	label.go                                                what is said of labels, and why an image does not count
//	sync.go                                                 what an import does about an image that the project has
//	people.go, first_admin.go, password.go, token.go, session.go, member.go, invitation.go, personal.go, trail.go, webhook.go, catalog.go, importing.go, staging.go, seeding.go, starting.go, starting_point.go, origin.go, leasing.go, handing.go, assigning.go, day.go, adopting.go, agreement.go, checking.go, work.go, drafting.go, reviewing.go, review_leasing.go, review_order.go, reviewing_many.go, sampling.go, pin.go, near.go, correcting.go, labelling.go, suspects.go,
//	fine_tuning.go, round_rows.go, comparing.go, uploading.go, versions.go, download.go, state_dict.go, activation_map.go, likeness.go, segmenter.go,
//	exporting.go, bringing.go, archiving.go
//	                                                        the use cases, each with the store it needs
package annotator
