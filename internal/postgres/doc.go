// Package postgres is the studio's state: all SQL of the project, one file per aggregate. Store implements annotator.Store for
// the use cases and jobs.Store for the workers; those interfaces say what each method is for.
//
// A rule of the domain is asked for here and not decided: a method locks what it is about, reads it, asks package annotator what
// becomes of it (Round.Claim, ChangeClasses, Task.Expire), and writes that, in one transaction. Constraints and triggers in
// migrations/ hold to the same rules whatever program writes; they are the last line of defence.
//
// Some decisions are made in SQL: those that must be one statement so that no two processes come to the same answer, and those about
// more rows than should be read. They are:
//
//	ClaimChunk          which part of a scan a worker gets, and when it may take one from a silent worker
//	Heartbeat, RescueParts, LostParts
//	                    who is in steady contact, and whose jobs may be taken over (ADR 17)
//	EnqueueScan         which images a version has not seen
//	CreateTasks, LockUntouched
//	                    which images become tasks, and which tasks nobody touched make way for them
//	UpdateImages, RetireImages
//	                    which answers are right by a corrected class, which tasks nobody touched go with their image
//	NextTask            the order among tasks of one state
//	SetJobProgress      a job's share never falls
//	usableEdits, StartRound
//	                    which approved edits a round learns from, as they are when it starts
//	task_drawn_by       who had a hand in what is to be judged (migration 21): NextReview, TaskCard
//	giveUpImports, ReferencedBlobs
//	                    what is too old, and what is not used any more
//
//	store.go            Open, InTx: patience with a database that is away, transactions, what rows are read with
//	refused.go, wrap.go, lost.go, watch.go
//	                    errors: why a value is refused, what was being done, a connection that broke or is silent
//	migrate.go, schema.go, address.go
//	                    the schema's version, and where the database is
//	sync.go             what an import that goes over a source again reads and changes
//	round_work.go, scans.go, jobs.go, workers.go, parts.go
//	                    what workers do; listener.go and round_events.go wake who watches a round
package postgres
