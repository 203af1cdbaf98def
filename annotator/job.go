package annotator

import (
	"context"
	"time"

	"github.com/abn-studio/studio/internal/progress"
)

// JobStore keeps background work.
type JobStore interface {
	// Jobs lists a project's background work, newest first.
	Jobs(ctx context.Context, projectID int64, limit int) ([]Job, error)
	// Workers lists the workers that were heard of within seconds, by host.
	Workers(ctx context.Context) ([]Worker, error)
	// SetJobProgress stores how far a running job is, and that its process is alive.
	SetJobProgress(ctx context.Context, jobID int64, p progress.Progress) error
	// FinishJob ends a job that succeeded; message "" leaves its last warning in place. A job ends once: a later end changes nothing.
	FinishJob(ctx context.Context, jobID int64, message string) error
	// FailJob ends a job that failed. message says why.
	FailJob(ctx context.Context, jobID int64, message string) error
}

// JobKind names a kind of background work.
type JobKind string

// The kinds of background work.
const (
	JobImport   JobKind = "import"
	JobScan     JobKind = "scan"
	JobRound    JobKind = "round"
	JobEvaluate JobKind = "evaluate"
	JobAdd      JobKind = "add"      // an uploaded model is run once and becomes a version
	JobForecast JobKind = "forecast" // what the approved maps are likely to be worth, before a round
)

// JobKinds are all of them.
var JobKinds = []JobKind{JobImport, JobScan, JobRound, JobEvaluate, JobAdd, JobForecast}

// JobState is where background work stands.
type JobState string

// The states of background work; JobTransitions say which follows which.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobFinished  JobState = "finished"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// JobStates are all of them.
var JobStates = []JobState{JobQueued, JobRunning, JobFinished, JobFailed, JobCancelled}

// Over reports whether the work has ended.
func (s JobState) Over() bool { return s != JobQueued && s != JobRunning }

// Job is background work as pages show it: what, how far, how long.
type Job struct {
	ID               int64         `json:"id"`
	Kind             JobKind       `json:"kind"`
	State            JobState      `json:"state"`           // "queued", "running", "finished", "failed", "cancelled"
	Phase            string        `json:"phase,omitempty"` // the stage at work, such as "reading"
	Done             int           `json:"done"`            // units of it; of a round percent
	Total            int           `json:"total"`
	Fraction         float64       `json:"fraction"` // of the whole job, [0,1]; never falls, and is 1 when the job has finished
	RemainingSeconds float64       `json:"remaining_seconds"`
	Unreadable       int           `json:"unreadable,omitempty"` // images that could not be read
	Message          string        `json:"message,omitempty"`    // last warning or error
	Report           *ImportReport `json:"report,omitempty"`     // of an import that succeeded, with the first names of each kind
	CreatedAt        time.Time     `json:"created_at"`
}

// Next returns the job's state after an event; ok is false if the event does not happen to it. Imports alone begin, are given up, and
// finish after they were given up.
func (j Job) Next(event Event) (to JobState, ok bool) {
	if j.Kind != JobImport && (event == EventBegin || event == EventGiveUp || event == EventFinishImport) {
		return j.State, false
	}
	return JobTransitions.Next(j.State, event)
}
