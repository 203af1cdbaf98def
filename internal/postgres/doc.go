// Package postgres is the studio's state: all SQL of the project, one file per aggregate. Store
// implements annotator.Store for the use cases, and what the workers of internal/jobs need besides.
//
//	Open(ctx, Config) (*Store, error)        Migrate(ctx, dsn, logger) error        (*Store).Close()
//	(*Store).Pool() *pgxpool.Pool            (*Store).Ping(ctx) error
//
// Errors: annotator.ErrNotFound, ErrConflict, ErrUnavailable (the database is away and stayed away), and for workers
// ErrSuperseded (another attempt holds the work now: stop, write nothing), ErrRoundCancelled (stop), ErrRoundOver
// (nothing to do), ErrScanOver (no chunk left), ErrChunksBusy (others hold the rest: ask again in a second).
//
// # Workers (internal/jobs)
//
// Liveness. A River client's ID is its worker's name. A worker calls Heartbeat and then RescueJobs every 2 s (HeartbeatEvery),
// which makes jobs of workers silent for longer than 15 s (StaleAfter) available again at once, if the one that asks was in
// steady contact itself for as long.
//
//	Heartbeat(ctx, Worker{ID, Host string; PID int}) error
//	RemoveWorker(ctx, id string) error                                  // on a clean stop
//	RescueJobs(ctx, worker string, working []int64) (int, error)
//	JobsLost(ctx, worker string, working []int64) ([]int64, error)      // what was taken over from the worker: it lets go
//
// Jobs, as pages show them (annotator.Job; one row may have several River jobs, as a scan has).
//
//	EnqueueScan(ctx, versionID int64) (annotator.Job, error)            // joins a scan of the version that runs already
//	EnqueueEvaluate(ctx, versionID int64) (annotator.Job, error)
//	BeginImport(ctx, projectID int64, images int) (annotator.Job, error)   // without River: work done in this process
//	StartJob(ctx, jobID int64, total int) error
//	SetJobProgress(ctx, jobID int64, p progress.Progress) error
//	FinishJob(ctx, jobID int64, message string) error                   // FailJob(ctx, jobID, message), Job(ctx, jobID)
//
// Import.
//
//	SetClasses(ctx, projectID int64, classes []annotator.Class) error   // where the project has none or the same
//	AddImages(ctx, projectID int64, images []annotator.NewImage) (added int, err error)   // COPY; known names are left alone
//	AddVersion(ctx, projectID int64, v annotator.NewVersion) (annotator.Version, error)   // no scan: EnqueueScan
//	Images(ctx, projectID int64, splits ...annotator.Split) ([]annotator.Image, error)
//	Predictions(ctx, versionID int64, splits ...annotator.Split) ([]annotator.Prediction, error)   // with probabilities and maps
//	SetFigures(ctx, versionID int64, figures map[string]float64) error  // merged into what is there
//	ReferencedBlobs(ctx) (map[string]struct{}, error)                   // for blob.Store.Sweep
//
// Scan. Chunks of images, each claimed for StaleAfter at a time; KeepChunk every 5 s while it is worked on. CompleteChunk writes predictions,
// broken images and the chunk's end in one transaction and refuses (ErrSuperseded) a claim that was lost, so that
// every image is predicted once; the last chunk ends the job and makes the tasks of an active version.
//
//	ClaimChunk(ctx, jobID int64, worker string) (Chunk, error)          // Chunk{ID, JobID, VersionID; Attempt; Images []annotator.Image}
//	KeepChunk(ctx, c Chunk) error
//	ReleaseChunk(ctx, c Chunk) error                                    // on a clean stop
//	CompleteChunk(ctx, c Chunk, predictions []annotator.Prediction, broken []BrokenImage{ImageID; Reason}) (ScanStatus{Done, Total int; Over bool}, error)
//	CreateTasks(ctx, versionID int64) (created int, err error)          // CompleteChunk and ActivateVersion's scan call it
//
// Rounds. ClaimRound makes a new attempt (queued → training, or training again after a crash); every later write states the claim.
//
//	ClaimRound(ctx, roundID int64) (RoundClaim{RoundID int64; Attempt int}, annotator.Round, error)
//	RoundInputs(ctx, roundID int64) (RoundInputs, error)                // parent, classes, training images with maps, evaluation images
//	SetUnreadable(ctx, c RoundClaim, u annotator.Unreadable) error
//	SetRoundProgress(ctx, c RoundClaim, p annotator.RoundProgress) error
//	DropRoundPoints(ctx, c RoundClaim) error   // of a training that diverged and begins again
//	AddRoundPoints(ctx, c RoundClaim, points []annotator.RoundPoint) error   // repeats after a resume are left out
//	StartEvaluating(ctx, c RoundClaim) error
//	FinishRound(ctx, c RoundClaim, v annotator.NewVersion, r annotator.RoundResult) (annotator.Version, error)
//	FailRound(ctx, c RoundClaim, message string) error
//	StopRound(ctx, c RoundClaim) error                                  // cancelled, after ErrRoundCancelled or the job's cancelled context
//
// Demo.
//
//	GeneratorUser(ctx, name string) (annotator.User, error)             // found or made; cannot sign in
//	SeedEdits(ctx, s annotator.SeedEdits) (int, error)
package postgres
