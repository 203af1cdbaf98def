package annotator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/sealed"
)

// Service is the studio's use cases, and the one way to change its state for pages, API, command line and demo. Every method takes
// the actor first, checks what they may do, and then acts. Each change is one transaction, which also writes the audit trail. Workers do
// the work that is asked for here: they write their progress to the store under their claims, and end the work through Service
// (ADR 18).
//
// The methods stand in files by subject: people.go, session.go (in which browsers they are signed in), invitation.go (who is to come in), institution.go (who signs people in besides the studio), second_factor.go (codes besides their passwords), passkey.go (keys in place of them), trail.go (who did what in the whole studio), first_admin.go (the first of them), personal.go (what is held of them, and removing them), catalog.go (projects, images, pictures), leasing.go
// (who gets which task), handing.go (why a task is there), assigning.go (many tasks at once, and to whom they are given), day.go (what people did on a day), overlap.go (images that several people paint), adopting.go (what becomes of their maps), agreement.go (how alike these are), checking.go (maps that are scored against known masks), work.go (what each person has done), drafting.go (saves and submissions), activation_map.go, likeness.go (which places of a picture are alike), segmenter.go (the region that clicks mean), reviewing.go, review_leasing.go (who has which map to judge), review_order.go (in which order), reviewing_many.go (many verdicts at once), sampling.go (how much is reviewed), correcting.go (changing a map and approving it), fine_tuning.go, uploading.go
// (uploaded models, and those on the server's disk), importing.go, staging.go (images that people send), seeding.go (edits from known masks), starting.go (the maps that
// painters begin with), leakage.go (held-out images that are like training images), images.go (the list of a project's images; changing, deleting, restoring and purging them), labelling.go (labels that are found wrong), suspects.go (those that probably are), forecasting.go (whether painting is likely to pay), exporting.go (what leaves the studio), bringing.go (maps that come from elsewhere), archiving.go (a project as one archive), ending.go (closing, deleting and purging projects), space.go (what takes the space), quota.go (how much of it a project may take), versions.go, download.go (a version's files), state_dict.go (its weights for PyTorch) and scan.go.
type Service struct {
	store          Store
	scorer         Scorer
	activationMaps ActivationMapper
	likener        Likener
	describer      Describer
	segmenting     Segmenting
	pictures       Pictures
	starts         StartMaker
	blobs          BlobStore
	links          Links
	models         Models
	staging        Staging
	rows           RowReader
	agreeing       Agreeing
	checking       Checking
	now            func() time.Time
	log            *slog.Logger
	password       passwordHasher
	failures       failures
	institution    *Institution
	sealing        sealed.Key
	machine        Machine

	suspecting flight.Group[int64, Suspects] // by project
	leaking    flight.Group[leakageOf, leaksFound]
}

// ServiceConfig is what a Service needs. Store and Blobs are required. A command that neither scores nor shows pictures may leave out
// Scorer and Pictures; the methods that need them then return ErrUnavailable.
type ServiceConfig struct {
	Store          Store            // internal/postgres.Store
	Scorer         Scorer           // inference.LiveScorer
	ActivationMaps ActivationMapper // inference.LiveScorer
	Likener        Likener          // inference.LiveScorer
	Describer      Describer        // inference.LiveScorer; nil: no maps of near images are offered to begin with
	Segmenting     Segmenting       // inference.Segmenters
	Pictures       Pictures         // inference.Pictures
	Starts         StartMaker       // jobs.Catalog; nil: painters begin with the model's map
	Blobs          BlobStore        // internal/blob.Store
	Links          Links            // internal/blob.Store; nil: the studio sends every file itself
	Models         Models           // jobs.Models; nil: models cannot be added (ErrUnavailable)
	Staging        Staging          // jobs.Staging; without it no images are taken from a browser (ErrUnavailable)
	Rows           RowReader        // internal/roundrows.Reader; without it rows of rounds are not handed out (ErrUnavailable)
	Agreement      Agreeing         // internal/agreement.Measures; without it nothing is compared
	Checking       Checking         // jobs.Catalog; without it checks have no scores
	Institution    *Institution     // who signs people in besides the studio; nil: nobody does
	Sealing        sealed.Key       // seals the secrets of second factors; the zero value does not
	Machine        Machine          // internal/space.Machine; nil: nothing is known of folders and disks
	Clock          func() time.Time // the clock by which leases expire; default Store.Now
	Logger         *slog.Logger     // default slog.Default
}

// NewService returns the use cases on top of a store.
func NewService(c ServiceConfig) *Service {
	s := &Service{store: c.Store, scorer: c.Scorer, activationMaps: c.ActivationMaps, likener: c.Likener, describer: c.Describer, segmenting: c.Segmenting, pictures: c.Pictures, starts: c.Starts, blobs: c.Blobs, links: c.Links, models: c.Models, staging: c.Staging, rows: c.Rows, agreeing: c.Agreement, checking: c.Checking, institution: c.Institution, sealing: c.Sealing, machine: c.Machine, now: c.Clock, log: c.Logger}
	if s.now == nil {
		s.now = c.Store.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.password = newPasswordHasher()
	return s
}

// Now is the time by which the studio decides: whether a lease, a session or a link has expired.
func (s *Service) Now() time.Time { return s.now() }

// Store is the database, seen from the use cases: one small interface per aggregate, each beside its
// user. internal/postgres implements it.
type Store interface {
	UserStore
	SessionStore
	InvitationStore
	IdentityStore
	FactorStore
	PasskeyStore
	WebhookStore
	MemberStore
	PersonalStore
	SetupStore
	ProjectStore
	EndingStore
	ImageStore
	ImageListStore
	TaskStore
	AssignStore
	OverlapStore
	CheckStore
	WorkStore
	DayStore
	EditStore
	ReviewOrderStore
	ManyReviewStore
	SamplingStore
	NearStore
	RoundStore
	RoundRowStore
	VersionStore
	UploadStore
	ImportStore
	BringStore
	StartStore
	LeakageStore
	ExportStore
	ArchiveStore
	LabelStore
	SuspectStore
	ForecastStore
	SegmenterStore
	SpaceStore
	JobStore
	AuditStore
	ScanStore

	// Now is the time by the database's clock, which is one for all servers and workers.
	Now() time.Time

	// InTx runs fn on a store whose changes are kept together or not at all. It may run fn again
	// after a lost connection or a deadlock, so fn assigns its results and does nothing else outside tx.
	InTx(ctx context.Context, fn func(tx Store) error) error
}

// AuditEntry is one line of the trail: who did what to what.
type AuditEntry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`  // "edit.approve", "version.activate", …
	Subject string    `json:"subject"` // "edit 41", "version 3"
	Detail  string    `json:"detail,omitempty"`
	// SubjectName is a person's name as it is now, with their number where others have it too; "" of everything else.
	SubjectName string `json:"subject_name,omitempty" doc:"Of a person: their name, with their number where somebody else has it too."`
}

// AuditStore keeps the trail of who did what.
type AuditStore interface {
	// InsertAudit appends one line; projectID is nil for a change outside projects.
	InsertAudit(ctx context.Context, projectID *int64, actor User, e AuditEntry) error
	// TrailBefore lists lines of the whole studio, newest first, from the line before the id (0: the newest); TrailAfter lists them oldest
	// first, from the line after the id.
	TrailBefore(ctx context.Context, f TrailFilter, before int64, limit int) ([]TrailLine, error)
	TrailAfter(ctx context.Context, f TrailFilter, after int64, limit int) ([]TrailLine, error)
	// AuditEntries lists a project's trail, newest first, from the entry before the id (0: the newest).
	AuditEntries(ctx context.Context, projectID, before int64, limit int) ([]AuditEntry, error)
}

// may returns an error unless the actor is signed in, enabled and of the role needed.
func may(actor User, needed Role) error {
	switch {
	case actor.Role == "" || actor.Disabled || actor.Generator:
		return ErrUnauthorized
	case !actor.Role.May(needed):
		return fmt.Errorf("%w: needs the role %s, you are %s", ErrForbidden, needed, actor.Role)
	}
	return nil
}

// mayPaint is may for work in a person's own name, which the command line cannot do.
func mayPaint(actor User) error {
	if err := may(actor, RoleAnnotator); err != nil {
		return err
	}
	if actor.ID == 0 {
		return fmt.Errorf("%w: only a person paints", ErrForbidden)
	}
	return nil
}

// audit writes one line of the trail inside the transaction of the change it tells of.
func (s *Service) audit(ctx context.Context, tx Store, actor User, projectID *int64, action, subject, detail string) error {
	return tx.InsertAudit(ctx, projectID, actor, AuditEntry{
		At: s.now(), Actor: actor.Name, Action: action, Subject: subject, Detail: detail,
	})
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
