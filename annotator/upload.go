package annotator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/text"
)

// UploadState is the state of an uploaded model file.
type UploadState string

// The states of an upload; UploadTransitions say which follows which.
const (
	UploadInspected UploadState = "inspected" // read, not run
	UploadAdding    UploadState = "adding"    // a worker runs it once
	UploadAdded     UploadState = "added"     // it is a version
	UploadRefused   UploadState = "refused"   // it did not run, or its classes do not fit the project's
)

// UploadStates are all of them.
var UploadStates = []UploadState{UploadInspected, UploadAdding, UploadAdded, UploadRefused}

// Upload is an uploaded model file, which may become a version.
type Upload struct {
	ID         int64           `json:"id"`
	ProjectID  int64           `json:"project_id"`
	Name       string          `json:"name"` // the file's
	State      UploadState     `json:"state"`
	ModelHash  string          `json:"model_hash"`
	Bytes      int64           `json:"bytes"`
	Report     ModelReport     `json:"report"`
	Manifest   json.RawMessage `json:"manifest,omitempty"` // absent while it is not known
	Activate   bool            `json:"activate"`           // make it the active version at once
	Problem    string          `json:"problem,omitempty"`  // why a worker refused it
	VersionID  *int64          `json:"version_id,omitempty"`
	UploadedBy string          `json:"uploaded_by"`
	SenderID   int64           `json:"-"` // whose name that is; 0: the command line's
	Tries      int             `json:"-"` // how many workers in a row began to run it and were not heard of again
	CreatedAt  time.Time       `json:"created_at"`
}

// DefaultMaxModelBytes bounds a model file that is taken from a browser or the API: ResNet-152 with both branches has 320 MB.
const DefaultMaxModelBytes = 1 << 30

// LargerModels says what to do about one beyond the limit.
const LargerModels = "add it on the server with 'studio model add', or start the server with a larger --max-model-mb; a network of 2 GiB or more is not taken at all"

// MaxUploadTries is how many workers may die while they run a model before it is refused. A single one may have died of something
// else.
const MaxUploadTries = 2

// Sender is the user who uploaded the file.
func (u Upload) Sender() User { return User{ID: u.SenderID, Name: u.UploadedBy} }

// Add returns the upload as one that a worker is to run, with a manifest, and make a version of. A refused upload starts again.
// ErrConflict if it is being added or has been.
func (u Upload) Add(manifest json.RawMessage, activate bool) (Upload, error) {
	to, may := UploadTransitions.Next(u.State, EventAdd)
	switch {
	case !may && u.State == UploadAdding:
		return u, fmt.Errorf("it is being added: %w", ErrConflict)
	case !may:
		return u, fmt.Errorf("it is a version already: %w", ErrConflict)
	}
	u.State, u.Problem, u.Tries = to, "", 0
	u.Manifest, u.Activate = manifest, activate
	return u, nil
}

// BringsWorkersDown reports whether more than MaxUploadTries workers died while they ran the model.
func (u Upload) BringsWorkersDown() bool { return u.Tries > MaxUploadTries }

// Become returns the upload after it became a version, even if another worker has refused it meanwhile. ErrConflict if nobody asked for
// that, or if it is a version already.
func (u Upload) Become(v Version) (Upload, error) {
	to, may := UploadTransitions.Next(u.State, EventBecome)
	if !may {
		return u, fmt.Errorf("it is %s and cannot become a version: %w", u.State, ErrConflict)
	}
	u.State, u.Problem, u.VersionID = to, "", &v.ID
	return u, nil
}

// Refuse returns an upload that was being added as refused, with the reason. In any other state it stays as it is.
func (u Upload) Refuse(problem string) Upload {
	if to, may := UploadTransitions.Next(u.State, EventRefuse); may {
		u.State, u.Problem = to, text.Clean(problem)
	}
	return u
}

// ForgettableUploads lists the states of uploads that are removed when they are old: no worker has them, and no version was made of
// them.
func ForgettableUploads() []UploadState { return []UploadState{UploadInspected, UploadRefused} }

// ReadManifest parses the upload's manifest. With an error, as when there is none, it holds the fields that could be read.
func (u Upload) ReadManifest() (manifest.Manifest, error) {
	m, err := manifest.Stored(u.Manifest)
	if err != nil {
		return m, fmt.Errorf("upload %d: %w", u.ID, err)
	}
	return m, nil
}
