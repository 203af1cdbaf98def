package jobs

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/postgres"
)

var _ Store = (*postgres.Store)(nil)

// Store is what workers need of the database, besides annotator.Service. A write under a lost claim is refused with
// annotator.ErrSuperseded: another attempt has the work, and this one must stop.
type Store interface {
	annotator.Store
	Pool() *pgxpool.Pool // for River
	Ping(ctx context.Context) error
	Installation(ctx context.Context) (string, error) // the studio's own id

	// Liveness. A worker's name is its River client's ID. A part is what River calls a job: a row of river_job. Every
	// postgres.HeartbeatEvery a worker calls Heartbeat, which says that it is alive. Heartbeat also makes parts available again whose
	// workers were silent for longer than postgres.StaleAfter, if this worker itself was in steady contact for as long. working are
	// the parts that the worker works on, or worked on a moment ago.
	Heartbeat(ctx context.Context, w annotator.Worker) error
	RescueParts(ctx context.Context, worker string, working []int64) (rescued int, err error)
	// LostParts returns which of the parts working were taken over from the worker, which then stops working on them.
	LostParts(ctx context.Context, worker string, working []int64) ([]int64, error)
	StrandedJobs(ctx context.Context) ([]postgres.StrandedJob, error)
	RemoveWorker(ctx context.Context, id string) error // on a clean stop

	// Jobs, as pages show them; a scan has several parts.
	Job(ctx context.Context, jobID int64) (annotator.Job, error)
	StartJob(ctx context.Context, jobID int64, total int) error

	// Scans. A chunk is claimed for postgres.StaleAfter at a time. CompleteChunk writes its predictions, its unreadable images and
	// its end in one transaction.
	ClaimChunk(ctx context.Context, jobID int64, worker string, after int64) (annotator.Chunk, error) // annotator.ErrScanOver, ErrChunksToMake, ErrChunksBusy, ErrChunksDone
	NextChunks(ctx context.Context, jobID int64) error                                                // annotator.ErrScanOver
	KeepChunk(ctx context.Context, c annotator.Chunk) error
	ReleaseChunk(ctx context.Context, c annotator.Chunk) error // on a clean stop
	CompleteChunk(ctx context.Context, c annotator.Chunk, predictions []annotator.Prediction, broken []annotator.BrokenImage) (annotator.ScanStatus, error)
	NextTasks(ctx context.Context, jobID int64) (over bool, err error) // annotator.ErrScanOver, ErrChunksBusy

	// Rounds. Every claim is a new attempt, and every write names its attempt (annotator.Round has the rules). annotator.ErrRoundOver:
	// there is nothing to do. annotator.ErrRoundCancelled: stop, and confirm it by StopRound. Service.FinishRound and FailRound end a
	// round.
	ClaimRound(ctx context.Context, roundID int64) (annotator.RoundClaim, annotator.Round, error)
	HoldsRound(ctx context.Context, c annotator.RoundClaim) error
	RoundInputs(ctx context.Context, roundID int64) (postgres.RoundInputs, error)
	EachTrainingImage(ctx context.Context, roundID int64, each func(postgres.TrainingImage) error) error
	SetUnreadable(ctx context.Context, c annotator.RoundClaim, u annotator.Unreadable) error
	SetRoundProgress(ctx context.Context, c annotator.RoundClaim, p annotator.RoundProgress) error
	SetRoundWait(ctx context.Context, c annotator.RoundClaim, wait annotator.Wait) error
	AddRoundPoints(ctx context.Context, c annotator.RoundClaim, points []annotator.RoundPoint) error // points that are there already are left out
	DropRoundPoints(ctx context.Context, c annotator.RoundClaim) error                               // of a training that diverged and begins again
	StartEvaluating(ctx context.Context, c annotator.RoundClaim) error
	StopRound(ctx context.Context, c annotator.RoundClaim) error

	// Versions.
	EachPrediction(ctx context.Context, v annotator.Version, split annotator.Split, each func(annotator.Image, annotator.Prediction) error) error
	LeftOut(ctx context.Context, projectID int64, split annotator.Split) (int, error)
	SetFigures(ctx context.Context, versionID int64, figures map[string]float64) error         // merged into what is there
	SetTraining(ctx context.Context, versionID int64, training []annotator.Trainability) error // what engines can fine-tune of it
	ActiveVersions(ctx context.Context) ([]annotator.Version, error)                           // of every project

	// What takes the space.
	SetBlobSpace(ctx context.Context, b annotator.BlobSpace) error
	NewestImage(ctx context.Context) (int64, error)
	UncountedImages(ctx context.Context, after, last int64, limit int) ([]postgres.UncountedImage, error)
	CountImages(ctx context.Context, images, bytes, maskBytes []int64) error
	FoldTallies(ctx context.Context) error // the counts of tasks and images

	// The places of images in the orders of the queue.
	DueQueues(ctx context.Context) ([]postgres.DueQueue, error)
	QueueRanked(ctx context.Context, q postgres.DueQueue) error
	RankConfusions(ctx context.Context, versionID int64) error
	MistakesToSpread(ctx context.Context, versionID int64, limit int) ([]annotator.Image, error)
	SetDiverse(ctx context.Context, versionID int64, images []int64) error
	ReservedMaps(ctx context.Context, versionID, after int64, limit int) ([]postgres.ReservedMap, error)
	SetSuspicions(ctx context.Context, versionID int64, all []postgres.Suspicion) error
	RankReasons(ctx context.Context, versionID int64) error

	// Forecasts.
	EditedImages(ctx context.Context, versionID int64) ([]postgres.EditedImage, error)
	SetForecast(ctx context.Context, f annotator.Forecast, rows []forecast.RowInPlace) error

	// Uploads. TryUpload counts that a worker begins to run a model; TriedUpload records that the worker survived it.
	TryUpload(ctx context.Context, id int64) (annotator.Upload, error)
	TriedUpload(ctx context.Context, id int64) error

	// Fingerprints, of readable images in use that have none; project 0: of all.
	ImagesToFingerprint(ctx context.Context, projectID, after int64, limit int) ([]annotator.Image, error)
	SetFingerprints(ctx context.Context, images []int64, prints []fingerprint.Fingerprint) error

	// Tidying.
	Importing(ctx context.Context) (bool, error) // whether an import is running: no row refers yet to the files that it has stored
	ForgetUploads(ctx context.Context, age time.Duration) (int, error)
	ReferencedBlobs(ctx context.Context) (map[string]struct{}, error)
	// BackingUp reports whether a backup copies blobs, which are then not removed. It is asked after ReferencedBlobs.
	BackingUp(ctx context.Context) (bool, error)
	RemoveExpiredSessions(ctx context.Context) error
}
