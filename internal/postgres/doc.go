// Package postgres is the studio's state: all SQL of the project, one file per aggregate. Store implements annotator.Store for
// the use cases and jobs.Store for the workers; those interfaces say what each method is for.
//
// The rules of the domain are in package annotator. In one transaction a method here locks a row, reads it, calls the rule
// (Round.Claim, ChangeClasses, Task.Expire), and writes the result. A statement that changes the state of rows without reading them
// gets the states from which and to which as parameters, from annotator's tables (VersionTransitions). Constraints and triggers in migrations/ enforce the same rules
// once more, whatever program writes.
//
// Some decisions are made in SQL: those that must be one statement, so that two processes cannot make the same one, and those about
// too many rows to read. They are:
//
//	ClaimChunk          which part of a scan a worker gets, and when it may take one from a silent worker
//	Heartbeat, RescueParts, LostParts
//	                    which worker is in steady contact, and whose parts of jobs may be taken over (ADR 17)
//	EnqueueScan, NextChunks
//	                    which images a version has not predicted
//	CreateTasks, LockUntouched
//	                    which images become tasks, and which untouched tasks are removed for them
//	UpdateImages, RetireImages, SetLabel
//	                    which predictions are right by a corrected class, which untouched tasks are removed with their image
//	NextTask, DrawTask  the order among tasks of one state, and the first that an order of the mix gives of tasks and reserve
//	RankConfusions, RankReasons
//	                    places in orders, of all tasks or images at once
//	SetJobProgress      a job's share never falls
//	SplitTask           which images become several slots: those that nobody has worked on
//	RoundData           which rounds have judged the held-out images
//	usableEdits, StartRound
//	                    which approved edits a round learns from, as they are when it starts
//	task_drawn_by       who took part in the edit to be judged (migration 21): NextReview, TaskCard
//	giveUpImports, ReferencedBlobs
//	                    which imports have lost their process, which blobs are in use
//
//	store.go            Open, InTx: waiting for a database that is away, transactions, reading rows
//	refused.go, wrap.go, lost.go, watch.go
//	                    errors: why a value is refused, what was being done, a connection that broke or is silent
//	migrate.go, schema.go, address.go
//	                    the schema's version, and where the database is
//	overlap.go          the slots of images that several people paint, and who may be given which
//	checks.go, work.go  scores against known masks, and what each person has done
//	drawing.go, ranking.go
//	                    the orders of the queue: the next by an order, the reserve, places
//	labels.go           what is said of labels, their history, and how tasks follow
//	sync.go             what a repeated import reads and changes
//	names.go            what a search finds
//	exports.go          maps, predictions, reviews, tasks and the trail, a page at a time
//	round_work.go, scans.go, jobs.go, workers.go, parts.go
//	                    what workers need; listener.go and round_events.go tell watchers of a round about changes
package postgres
