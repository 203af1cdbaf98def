package annotator

import (
	"context"
	"errors"
	"io"

	"github.com/abn-studio/studio/internal/attention"
)

// Service is the studio's use cases. Every method takes the actor first, checks what they may do, and
// then acts; each change is one transaction that also writes the audit trail.
type Service struct{}

var errUnwritten = errors.New("unwritten")

// --- people

// SignIn checks a password (argon2id) and returns who it belongs to, or ErrUnauthorized.
func (s *Service) SignIn(ctx context.Context, email, password string) (User, error) {
	return User{}, errUnwritten
}

// UserByID returns the user of a session; ErrUnauthorized if they are gone or disabled.
func (s *Service) UserByID(ctx context.Context, id int64) (User, error) { return User{}, errUnwritten }

// UserByToken returns the user of an API bearer token, or ErrUnauthorized.
func (s *Service) UserByToken(ctx context.Context, token string) (User, error) {
	return User{}, errUnwritten
}

// CreateToken makes a bearer token for the actor; only its hash is kept.
func (s *Service) CreateToken(ctx context.Context, actor User, name string) (token string, err error) {
	return "", errUnwritten
}

// Users lists everybody (admin).
func (s *Service) Users(ctx context.Context, actor User) ([]User, error) { return nil, errUnwritten }

// CreateUser adds a person (admin).
func (s *Service) CreateUser(ctx context.Context, actor User, u NewUser) (User, error) {
	return User{}, errUnwritten
}

// ChangeUser changes a person (admin; anybody may change their own name and password). The last
// enabled admin can be neither disabled nor demoted.
func (s *Service) ChangeUser(ctx context.Context, actor User, id int64, c UserChange) (User, error) {
	return User{}, errUnwritten
}

// --- projects

// Projects lists the projects with their counts.
func (s *Service) Projects(ctx context.Context, actor User) ([]ProjectSummary, error) {
	return nil, errUnwritten
}

// Project returns one project with its counts.
func (s *Service) Project(ctx context.Context, actor User, slug string) (ProjectSummary, error) {
	return ProjectSummary{}, errUnwritten
}

// CreateProject makes an empty project (admin).
func (s *Service) CreateProject(ctx context.Context, actor User, slug, name, description string) (Project, error) {
	return Project{}, errUnwritten
}

// Jobs lists a project's background work, newest first, at most 50.
func (s *Service) Jobs(ctx context.Context, actor User, slug string) ([]Job, error) {
	return nil, errUnwritten
}

// Audit lists a project's trail, newest first; before is the id to continue from, 0 for the start.
func (s *Service) Audit(ctx context.Context, actor User, slug string, before int64) ([]AuditEntry, error) {
	return nil, errUnwritten
}

// Image returns one image of a project with the given version's prediction of it (nil version: the active one's).
func (s *Service) Image(ctx context.Context, actor User, imageID int64, versionID *int64) (Image, *Prediction, error) {
	return Image{}, nil, errUnwritten
}

// Picture renders an image of a project as the active version sees it.
func (s *Service) Picture(ctx context.Context, actor User, imageID int64, kind PictureKind) (io.ReadCloser, string, error) {
	return nil, "", errUnwritten
}

// --- tasks and edits

// NextTask leases a task of the project to the actor: first one of theirs whose changes were
// requested, then one they hold already, then the open one with the most confident mistake. ErrNoTask if there is none.
func (s *Service) NextTask(ctx context.Context, actor User, slug string) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// ClaimTask leases one particular task, open or returned to the actor; *LeaseError if another holds it.
func (s *Service) ClaimTask(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// Task returns a task without taking it.
func (s *Service) Task(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// Tasks lists tasks by filter, the most confident mistakes first.
func (s *Service) Tasks(ctx context.Context, actor User, f TaskFilter) (TaskPage, error) {
	return TaskPage{}, errUnwritten
}

// Facets counts what each filter would leave.
func (s *Service) Facets(ctx context.Context, actor User, f TaskFilter) (Facets, error) {
	return Facets{}, errUnwritten
}

// RenewLease keeps a task with the actor for another LeaseDuration.
func (s *Service) RenewLease(ctx context.Context, actor User, taskID int64) (Lease, error) {
	return Lease{}, errUnwritten
}

// Score answers what the task's version says with m in place of its own map. Nothing is stored.
func (s *Service) Score(ctx context.Context, actor User, taskID int64, m attention.Map) (Scores, error) {
	return Scores{}, errUnwritten
}

// SaveDraft stores a new revision and renews the lease. *StaleError if the base is not the latest
// revision, *LeaseError if the actor does not hold the task, attention.ErrGrid or ErrValue for a bad map.
func (s *Service) SaveDraft(ctx context.Context, actor User, taskID int64, d Draft) (Edit, error) {
	return Edit{}, errUnwritten
}

// Submit hands the latest revision (which must be revision) to review, scored before and after.
func (s *Service) Submit(ctx context.Context, actor User, taskID int64, revision int) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// Skip puts a task aside, with a reason.
func (s *Service) Skip(ctx context.Context, actor User, taskID int64, reason string) error {
	return errUnwritten
}

// Reopen puts a skipped task back into the queue (reviewer).
func (s *Service) Reopen(ctx context.Context, actor User, taskID int64) error { return errUnwritten }

// Release gives a leased task back; its drafts stay.
func (s *Service) Release(ctx context.Context, actor User, taskID int64) error { return errUnwritten }

// Revisions lists a task's edits, oldest first.
func (s *Service) Revisions(ctx context.Context, actor User, taskID int64) ([]Edit, error) {
	return nil, errUnwritten
}

// --- review

// NextReview returns the submitted task waiting longest that the actor did not paint and that comes
// after the given task id (0: the first). ErrNoTask if there is none.
func (s *Service) NextReview(ctx context.Context, actor User, slug string, after int64) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// Review judges a submitted edit (reviewer; never the author: ErrForbidden). A rejection needs a
// comment and sends the task back to its author.
func (s *Service) Review(ctx context.Context, actor User, editID int64, v Verdict, comment string) (TaskDetail, error) {
	return TaskDetail{}, errUnwritten
}

// --- rounds

// RoundDefaults returns the settings the form starts with, and how many approved edits a round would learn from.
func (s *Service) RoundDefaults(ctx context.Context, actor User, slug string) (RoundSettings, int, error) {
	return RoundSettings{}, 0, errUnwritten
}

// StartRound queues a round from the active version (admin). The same idempotency key gives the same
// round again. ErrConflict while another round of the project runs, *ValidationError without an approved edit.
func (s *Service) StartRound(ctx context.Context, actor User, slug string, r RoundSettings, idempotencyKey string) (Round, error) {
	return Round{}, errUnwritten
}

// Rounds lists a project's rounds, newest first.
func (s *Service) Rounds(ctx context.Context, actor User, slug string) ([]Round, error) {
	return nil, errUnwritten
}

// Round returns one round and its project.
func (s *Service) Round(ctx context.Context, actor User, id int64) (Round, Project, error) {
	return Round{}, Project{}, errUnwritten
}

// RoundEvents returns the round's events after an id, oldest first; the call waits (until ctx ends)
// when there is none yet and the round is not over. An empty slice means it is over.
func (s *Service) RoundEvents(ctx context.Context, actor User, id, after int64) ([]RoundEvent, error) {
	return nil, errUnwritten
}

// CancelRound asks a round to stop; it does within one step and leaves nothing behind (admin).
func (s *Service) CancelRound(ctx context.Context, actor User, id int64) (Round, error) {
	return Round{}, errUnwritten
}

// --- versions

// Versions lists a project's versions, v1 first.
func (s *Service) Versions(ctx context.Context, actor User, slug string) ([]Version, error) {
	return nil, errUnwritten
}

// Version returns one version and its project.
func (s *Service) Version(ctx context.Context, actor User, id int64) (Version, Project, error) {
	return Version{}, Project{}, errUnwritten
}

// ActivateVersion makes a version the project's active one, archives the one before and scans with
// it what it has not seen (admin). Activating an archived version is rollback.
func (s *Service) ActivateVersion(ctx context.Context, actor User, id int64) (Version, error) {
	return Version{}, errUnwritten
}

// OpenModel opens a version's ONNX file for download.
func (s *Service) OpenModel(ctx context.Context, actor User, id int64) (io.ReadSeekCloser, Version, error) {
	return nil, Version{}, errUnwritten
}

// StartScan predicts with a version every image it has not predicted (admin).
func (s *Service) StartScan(ctx context.Context, actor User, versionID int64) (Job, error) {
	return Job{}, errUnwritten
}
