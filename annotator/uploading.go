package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
)

// SentKind is the kind of a file of an uploaded model.
type SentKind string

// The kinds, and how many files of each an upload may have.
const (
	SentModel    SentKind = "model"    // the ONNX file: one
	SentData     SentKind = "data"     // external data of the ONNX file, as torch.onnx.export writes abn.onnx.data: any number
	SentName     SentKind = "name"     // the name of a value of its graph: the file's name is a key of manifest.NameFields, its content the value's name
	SentManifest SentKind = "manifest" // its manifest, or what PyTorch's libraries say of preprocessing and classes: any number
)

// SentFile is one file of an upload. It must be read before the next one is asked for.
type SentFile struct {
	Kind SentKind
	Name string // its name at the sender's, perhaps with folders
	io.Reader
}

// Models takes in model files and gives them out (internal/jobs). It inspects uploaded files without running them.
type Models interface {
	Segmenters
	// Receive stores an uploaded model as one file and reports what it is. next returns the upload's files in any order, and then
	// io.EOF. A model that is no ABN in ONNX, or lacks some of its data, is a *ValidationError of field "model", and one that is too
	// large ErrTooLarge; neither is stored.
	Receive(ctx context.Context, next func() (SentFile, error)) (ModelFile, error)
	// Judge reports what a stored file is with another manifest.
	Judge(ctx context.Context, hash string, manifest []byte) (ModelFile, error)
	// Try runs a model file of the server's own disk once, in this process, and stores it. One that cannot be run, split or trained is
	// refused, with the node's name, and not stored.
	Try(ctx context.Context, file []byte, manifest json.RawMessage) (NewVersion, error)
	// HandOut rewrites a stored file for download: the manifest is put into its metadata, and paths of the machine that it was exported
	// on are left out. If beside is not "", its large tensors are moved into a second file of that name, which is data. model and data
	// read from file and share its position, so only one may be read at a time.
	HandOut(file io.ReadSeeker, manifest json.RawMessage, beside string) (model, data io.ReadSeeker, err error)
	// StateDict makes a state_dict (Service.StateDict) in a temporary file, which is removed when it is closed.
	StateDict(ctx context.Context, r StateDictOf) (io.ReadSeekCloser, error)
}

// UploadStore keeps uploads and makes versions of them.
type UploadStore interface {
	Upload(ctx context.Context, id int64) (Upload, error)
	InsertUpload(ctx context.Context, u Upload, by User) (Upload, error)
	// LockUpload returns an upload and keeps others from changing it until the transaction ends.
	LockUpload(ctx context.Context, id int64) (Upload, error)
	// SaveUpload writes a locked upload's state, manifest, tries, problem and version, and returns it as stored.
	SaveUpload(ctx context.Context, u Upload) (Upload, error)
	// EnqueueAdd asks a worker to run an upload's model once and make a version of it.
	EnqueueAdd(ctx context.Context, u Upload) (Job, error)
}

// UploadModel stores a model file for a project and reports what it is (admin). AddUpload then makes a version of it. next returns the
// upload's files (Models.Receive).
func (s *Service) UploadModel(ctx context.Context, actor User, slug string, next func() (SentFile, error)) (Upload, error) {
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return Upload{}, err
	}
	if s.models == nil {
		return Upload{}, fmt.Errorf("reading a model: %w: this process reads none", ErrUnavailable)
	}
	space, err := spaceOf(ctx, s.store, project.ID)
	if err == nil {
		err = space.full()
	}
	if err != nil {
		return Upload{}, err
	}
	var name string
	found, err := s.models.Receive(ctx, func() (SentFile, error) {
		file, err := next()
		if err == nil && file.Kind == SentModel {
			name, err = BoundFileName.check("model", path.Base("/"+strings.ReplaceAll(file.Name, `\`, "/")))
		}
		return file, err
	})
	if err != nil {
		return Upload{}, err
	}
	if err := s.checkClasses(ctx, project, &found); err != nil {
		return Upload{}, err
	}
	var upload Upload
	err = s.store.InTx(ctx, func(tx Store) error {
		err := keepsQuota(ctx, tx, project.ID, func() (err error) {
			upload, err = tx.InsertUpload(ctx, Upload{
				ProjectID: project.ID, Name: name, ModelHash: found.Hash, Bytes: found.Bytes, Report: found.Report, Manifest: found.Manifest,
			}, actor)
			return err
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "model.upload", uploadSubject(upload.ID), name)
	})
	return upload, err
}

// checkClasses reports classes that do not fit the project's as a problem of the manifest.
func (s *Service) checkClasses(ctx context.Context, project Project, found *ModelFile) error {
	if found.Report.ManifestProblem != nil {
		return nil
	}
	err := s.classesFit(ctx, project, found.Classes)
	if problem := asValidation(err); problem != nil {
		found.Report.ManifestProblem = &FieldProblem{Field: "classes", Message: problem.Message}
		err = nil // the report has it
	}
	return err
}

// classesFit returns the error that setting a project's classes to classes would: a *ValidationError if they do not fit.
func (s *Service) classesFit(ctx context.Context, project Project, classes []Class) error {
	_, err := s.store.ActiveVersion(ctx, project.ID)
	if err != nil && !isNotFound(err) {
		return err
	}
	_, err = ChangeClasses(project.Classes, classes, err == nil)
	return err
}

// Upload returns an uploaded model file, and its project (admin).
func (s *Service) Upload(ctx context.Context, actor User, id int64) (Upload, Project, error) {
	_, err := s.in(ctx, actor, RoleLead, ThingUpload.Of(id))
	if err != nil {
		return Upload{}, Project{}, err
	}
	upload, err := s.store.Upload(ctx, id)
	if err != nil {
		return Upload{}, Project{}, err
	}
	project, err := s.store.ProjectByID(ctx, upload.ProjectID)
	return upload, project, err
}

// AddUpload asks a worker to run an uploaded model once and, if that succeeds, make a version of it and scan with it (admin). manifest
// nil: the one that came with it. The first version of a project becomes active; another one does if activate is set.
func (s *Service) AddUpload(ctx context.Context, actor User, id int64, manifest json.RawMessage, activate bool) (Upload, Job, error) {
	upload, project, err := s.Upload(ctx, actor, id)
	if err != nil {
		return Upload{}, Job{}, err
	}
	if manifest == nil {
		if p := upload.Report.ManifestProblem; p != nil { // what is stored may lack it: of a field that stands twice one is kept
			return Upload{}, Job{}, p.invalid()
		}
		manifest = upload.Manifest
	}
	if s.models == nil {
		return Upload{}, Job{}, fmt.Errorf("reading a model: %w: this process reads none", ErrUnavailable)
	}
	found, err := s.models.Judge(ctx, upload.ModelHash, manifest)
	if err != nil {
		return Upload{}, Job{}, err
	}
	if err := s.checkClasses(ctx, project, &found); err != nil {
		return Upload{}, Job{}, err
	}
	if p := found.Report.ManifestProblem; p != nil {
		return Upload{}, Job{}, p.invalid()
	}
	if !anyOK(found.Report.Training) {
		return Upload{}, Job{}, &ValidationError{Field: "model", Message: "no engine can train it: " + firstObstacle(found.Report.Training)}
	}
	var job Job
	err = s.store.InTx(ctx, func(tx Store) error {
		if upload, err = tx.LockUpload(ctx, id); err != nil {
			return err
		}
		if upload, err = upload.Add(found.Manifest, activate); err != nil {
			return fmt.Errorf("upload %d: %w", id, err)
		}
		if upload, err = tx.SaveUpload(ctx, upload); err != nil {
			return err
		}
		if job, err = tx.EnqueueAdd(ctx, upload); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "model.add", uploadSubject(id), upload.Name)
	})
	if err != nil {
		return Upload{}, Job{}, fmt.Errorf("adding %s: %w", upload.Name, err)
	}
	return upload, job, nil
}

// invalid returns a problem of the manifest as a *ValidationError of the request, of field "manifest" or "manifest.FIELD".
func (p FieldProblem) invalid() error {
	field := "manifest"
	if p.Field != "" {
		field += "." + p.Field
	}
	return &ValidationError{Field: field, Message: p.Message}
}

// FinishUpload makes a version of an uploaded model that has run, starts its scan and ends the job, in one transaction. The worker of
// the job that AddUpload made calls it; in the trail stands the person who uploaded the model. Called again after a crash, it
// returns the version that was made.
func (s *Service) FinishUpload(ctx context.Context, id, jobID int64, v NewVersion) (Version, error) {
	var version Version
	err := s.store.InTx(ctx, func(tx Store) error {
		upload, err := tx.LockUpload(ctx, id)
		if err != nil {
			return err
		}
		if upload.VersionID != nil {
			version, err = tx.Version(ctx, *upload.VersionID)
			return err
		}
		v.Activate = upload.Activate
		if version, err = s.addVersion(ctx, tx, upload.Sender(), upload.ProjectID, upload.Name, v, true); err != nil {
			return err
		}
		if upload, err = upload.Become(version); err != nil {
			return err
		}
		if _, err := tx.SaveUpload(ctx, upload); err != nil {
			return err
		}
		return tx.FinishJob(ctx, jobID, fmt.Sprintf("%s is v%d", upload.Name, version.Number))
	})
	if err != nil {
		return Version{}, fmt.Errorf("adding upload %d: %w", id, err)
	}
	return version, nil
}

// RefuseUpload stores why an uploaded model did not become a version, and ends the job. In the trail stands the person who uploaded
// the model.
func (s *Service) RefuseUpload(ctx context.Context, id, jobID int64, problem string) error {
	err := s.store.InTx(ctx, func(tx Store) error {
		upload, err := tx.LockUpload(ctx, id)
		if err != nil {
			return err
		}
		was := upload.State
		if upload = upload.Refuse(problem); upload.State != was {
			if _, err := tx.SaveUpload(ctx, upload); err != nil {
				return err
			}
			if err := s.audit(ctx, tx, upload.Sender(), &upload.ProjectID, "model.refuse", fmt.Sprintf("the model %s", upload.Name), upload.Problem); err != nil {
				return err
			}
		}
		return tx.FailJob(ctx, jobID, problem)
	})
	if err != nil {
		return fmt.Errorf("refusing upload %d: %w", id, err)
	}
	return nil
}

// ModelToAdd is a model file of the server's own disk.
type ModelToAdd struct {
	Name     string // the file's
	File     []byte
	Manifest json.RawMessage
	Activate bool // make it the active version at once (the first one always is)
	NoScan   bool // do not predict the project's images with it yet
}

// AddModel runs a model once and makes it a version of a project (admin). The version, its activation, its scan and the trail's lines
// are written in one transaction.
func (s *Service) AddModel(ctx context.Context, actor User, slug string, m ModelToAdd) (Version, error) {
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return Version{}, err
	}
	if s.models == nil {
		return Version{}, fmt.Errorf("running a model: %w: this process runs none", ErrUnavailable)
	}
	if m.Name, err = BoundFileName.check("model", m.Name); err != nil {
		return Version{}, err
	}
	v, err := s.models.Try(ctx, m.File, m.Manifest)
	if err != nil {
		return Version{}, fmt.Errorf("adding %s: %w", m.Name, err)
	}
	v.Activate = m.Activate
	var version Version
	err = s.store.InTx(ctx, func(tx Store) error {
		return keepsQuota(ctx, tx, project.ID, func() (err error) {
			version, err = s.addVersion(ctx, tx, actor, project.ID, m.Name, v, !m.NoScan)
			return err
		})
	})
	if err != nil {
		return Version{}, fmt.Errorf("adding %s: %w", m.Name, err)
	}
	return version, nil
}

// addVersion adds a model to a project, makes it the active version if it is the first or v.Activate is set, and starts a scan if scan
// is set.
func (s *Service) addVersion(ctx context.Context, tx Store, actor User, projectID int64, name string, v NewVersion, scan bool) (Version, error) {
	version, err := tx.AddVersion(ctx, projectID, v)
	if err != nil {
		return Version{}, err
	}
	number := fmt.Sprintf("v%d", version.Number)
	if err := s.audit(ctx, tx, actor, &projectID, "version.add", fmt.Sprintf("the model %s", name), number+"; "+string(version.State)); err != nil {
		return Version{}, err
	}
	if version.State == VersionActive {
		if err := s.audit(ctx, tx, actor, &projectID, "version.activate", versionSubject(version.ID), number); err != nil {
			return Version{}, err
		}
	}
	if scan {
		_, err = s.scan(ctx, tx, actor, version)
	}
	return version, err
}

func anyOK(training []Trainability) bool {
	for _, t := range training {
		if t.OK() {
			return true
		}
	}
	return len(training) == 0
}

func firstObstacle(training []Trainability) string {
	for _, t := range training {
		if !t.OK() {
			return t.Obstacles[0].String()
		}
	}
	return ""
}

func uploadSubject(id int64) string { return fmt.Sprintf("upload %d", id) }
