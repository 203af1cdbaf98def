package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
)

// SentKind is what one of the files is that a model was sent as.
type SentKind string

// What a model may be sent as.
const (
	SentModel    SentKind = "model"    // the ONNX file: one
	SentData     SentKind = "data"     // values that it keeps beside itself, as torch.onnx.export writes abn.onnx.data: any number
	SentName     SentKind = "name"     // the name of a value of its graph: the file's name is a key of manifest.NameFields, its content the value's name
	SentManifest SentKind = "manifest" // its manifest, or what PyTorch's libraries say of preprocessing and classes: any number
)

// SentFile is one of the files that a model was sent as. It is read before the next one is asked for.
type SentFile struct {
	Kind SentKind
	Name string // as it was called there, perhaps with folders
	io.Reader
}

// Models takes model files in and hands them out (internal/jobs). What comes from outside it inspects and does not run.
type Models interface {
	// Receive keeps a model as one file and tells what it is. next gives the files that it was sent as, in any order, and then io.EOF.
	// What is no ABN in ONNX, or misses some of its data, is a *ValidationError of field "model"; what is too large ErrTooLarge; neither is kept.
	Receive(ctx context.Context, next func() (SentFile, error)) (ModelFile, error)
	// Judge tells what a kept file is with another manifest.
	Judge(ctx context.Context, hash string, manifest []byte) (ModelFile, error)
	// Try runs a model file of the server's own once, in this process, and keeps it. One that cannot be run, split or trained
	// is refused, naming the node, and is not kept.
	Try(ctx context.Context, file []byte, manifest json.RawMessage) (NewVersion, error)
	// HandOut is a kept file with its manifest inside and without paths of the machine that it was made on; where beside names a file, its large
	// values stand in that, which is data. Both are read from file, whose position they share: one at a time.
	HandOut(file io.ReadSeeker, manifest json.RawMessage, beside string) (model, data io.ReadSeeker, err error)
	// StateDict makes a state_dict (Service.StateDict), a file that is gone once it is closed.
	StateDict(ctx context.Context, r StateDictOf) (io.ReadSeekCloser, error)
}

// UploadStore keeps uploads and makes versions of them.
type UploadStore interface {
	Upload(ctx context.Context, id int64) (Upload, error)
	InsertUpload(ctx context.Context, u Upload, by User) (Upload, error)
	// LockUpload is Upload, and keeps others from changing it until the transaction ends.
	LockUpload(ctx context.Context, id int64) (Upload, error)
	// SaveUpload writes a locked upload's state, manifest, tries, problem and version, and returns it as it is kept.
	SaveUpload(ctx context.Context, u Upload) (Upload, error)
	// EnqueueAdd asks a worker to run an upload's model once and make a version of it.
	EnqueueAdd(ctx context.Context, u Upload) (Job, error)
}

// UploadModel takes a model file for a project and tells what it is (admin). It is no version yet: AddUpload makes it
// one. next gives the files it was sent as (Models.Receive).
func (s *Service) UploadModel(ctx context.Context, actor User, slug string, next func() (SentFile, error)) (Upload, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
	if err != nil {
		return Upload{}, err
	}
	if s.models == nil {
		return Upload{}, fmt.Errorf("reading a model: %w: this process reads none", ErrUnavailable)
	}
	var name string
	found, err := s.models.Receive(ctx, func() (SentFile, error) {
		file, err := next()
		if err == nil && file.Kind == SentModel {
			name, err = checkText("model", path.Base("/"+strings.ReplaceAll(file.Name, `\`, "/")), 1, 255)
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
		upload, err = tx.InsertUpload(ctx, Upload{
			ProjectID: project.ID, Name: name, ModelHash: found.Hash, Bytes: found.Bytes, Report: found.Report, Manifest: found.Manifest,
		}, actor)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "model.upload", uploadSubject(upload.ID), name)
	})
	return upload, err
}

// checkClasses turns classes that do not fit the project's into a problem of the manifest.
func (s *Service) checkClasses(ctx context.Context, project Project, found *ModelFile) error {
	if found.Report.ManifestProblem != nil {
		return nil
	}
	err := s.classesFit(ctx, project, found.Classes)
	if problem := asValidation(err); problem != nil {
		found.Report.ManifestProblem = &FieldProblem{Field: "classes", Message: problem.Message}
		err = nil // it is said there
	}
	return err
}

// classesFit returns what setting a project's classes would: a *ValidationError where these do not fit.
func (s *Service) classesFit(ctx context.Context, project Project, classes []Class) error {
	_, err := s.store.ActiveVersion(ctx, project.ID)
	if err != nil && !isNotFound(err) {
		return err
	}
	_, err = ChangeClasses(project.Classes, classes, err == nil)
	return err
}

// Upload returns a model file that somebody sent, and its project (admin).
func (s *Service) Upload(ctx context.Context, actor User, id int64) (Upload, Project, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return Upload{}, Project{}, err
	}
	upload, err := s.store.Upload(ctx, id)
	if err != nil {
		return Upload{}, Project{}, err
	}
	project, err := s.store.ProjectByID(ctx, upload.ProjectID)
	return upload, project, err
}

// AddUpload asks a worker to run an uploaded model once and, if that goes well, make a version of it and scan with it
// (admin). manifest nil uses the one it came with. The first version of a project is active; another one is where activate says so.
func (s *Service) AddUpload(ctx context.Context, actor User, id int64, manifest json.RawMessage, activate bool) (Upload, Job, error) {
	upload, project, err := s.Upload(ctx, actor, id)
	if err != nil {
		return Upload{}, Job{}, err
	}
	if manifest == nil {
		if p := upload.Report.ManifestProblem; p != nil && upload.Manifest == nil { // it came with none that could be kept
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

// invalid is a problem of a manifest as one of the request that would use it.
func (p FieldProblem) invalid() error {
	field := "manifest"
	if p.Field != "" {
		field += "." + p.Field
	}
	return &ValidationError{Field: field, Message: p.Message}
}

// FinishUpload makes an uploaded model that has run a version, scans with it and ends the job, at once: what a worker does
// with what AddUpload asked for, in the name of who sent it. A repeat after a crash returns the version there is.
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
		if _, err := tx.SaveUpload(ctx, upload.Become(version)); err != nil {
			return err
		}
		return tx.FinishJob(ctx, jobID, fmt.Sprintf("%s is v%d", upload.Name, version.Number))
	})
	if err != nil {
		return Version{}, fmt.Errorf("adding upload %d: %w", id, err)
	}
	return version, nil
}

// RefuseUpload says why an uploaded model did not become a version, and ends the job, in the name of who sent it.
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
			if err := s.audit(ctx, tx, upload.Sender(), &upload.ProjectID, "model.refuse", "the model "+upload.Name, upload.Problem); err != nil {
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

// AddModel runs a model once and makes it a version of a project (admin). The version, that it is active, its scan and
// the trail's lines are there together or not at all.
func (s *Service) AddModel(ctx context.Context, actor User, slug string, m ModelToAdd) (Version, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
	if err != nil {
		return Version{}, err
	}
	if s.models == nil {
		return Version{}, fmt.Errorf("running a model: %w: this process runs none", ErrUnavailable)
	}
	if m.Name, err = checkText("model", m.Name, 1, 255); err != nil {
		return Version{}, err
	}
	v, err := s.models.Try(ctx, m.File, m.Manifest)
	if err != nil {
		return Version{}, fmt.Errorf("adding %s: %w", m.Name, err)
	}
	v.Activate = m.Activate
	var version Version
	err = s.store.InTx(ctx, func(tx Store) error {
		version, err = s.addVersion(ctx, tx, actor, project.ID, m.Name, v, !m.NoScan)
		return err
	})
	if err != nil {
		return Version{}, fmt.Errorf("adding %s: %w", m.Name, err)
	}
	return version, nil
}

// addVersion adds a model to a project, makes it the active version where it is the first or asked to be, and scans with it.
func (s *Service) addVersion(ctx context.Context, tx Store, actor User, projectID int64, name string, v NewVersion, scan bool) (Version, error) {
	version, err := tx.AddVersion(ctx, projectID, v)
	if err != nil {
		return Version{}, err
	}
	number := fmt.Sprintf("v%d", version.Number)
	if err := s.audit(ctx, tx, actor, &projectID, "version.add", "the model "+name, number+", "+string(version.State)); err != nil {
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
