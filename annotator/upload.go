package annotator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/text"
)

// UploadState is where a model file that somebody sent stands.
type UploadState string

// inspected → adding → added | refused. A refused one may be tried again with another manifest.
const (
	UploadInspected UploadState = "inspected" // read, not run
	UploadAdding    UploadState = "adding"    // a worker runs it once
	UploadAdded     UploadState = "added"     // it is a version
	UploadRefused   UploadState = "refused"   // it did not run, or its classes were others
)

// Upload is a model file that somebody sent, on its way to becoming a version.
type Upload struct {
	ID         int64           `json:"id"`
	ProjectID  int64           `json:"project_id"`
	Name       string          `json:"name"` // the file's
	State      UploadState     `json:"state"`
	ModelHash  string          `json:"model_hash"`
	Bytes      int64           `json:"bytes"`
	Report     ModelReport     `json:"report"`
	Manifest   json.RawMessage `json:"manifest,omitempty"` // absent while it is not known
	Activate   bool            `json:"activate"`           // to be the active version at once
	Problem    string          `json:"problem,omitempty"`  // why a worker refused it
	VersionID  *int64          `json:"version_id,omitempty"`
	UploadedBy string          `json:"uploaded_by"`
	SenderID   int64           `json:"-"` // whose name that is; 0: the command line's
	Tries      int             `json:"-"` // how often in a row a worker began to run it and was not heard of again
	CreatedAt  time.Time       `json:"created_at"`
}

// MaxUploadTries is how many workers a model may bring down before it is refused. One may have been killed by something else.
const MaxUploadTries = 2

// Sender is who sent the file.
func (u Upload) Sender() User { return User{ID: u.SenderID, Name: u.UploadedBy} }

// Add is an upload that a worker is to run and make a version of, with a manifest; ErrConflict where that is under way or
// done. A refused one starts anew.
func (u Upload) Add(manifest json.RawMessage, activate bool) (Upload, error) {
	switch u.State {
	case UploadAdding:
		return u, fmt.Errorf("it is being added: %w", ErrConflict)
	case UploadAdded:
		return u, fmt.Errorf("it is a version already: %w", ErrConflict)
	}
	u.State, u.Problem, u.Tries = UploadAdding, "", 0
	u.Manifest, u.Activate = manifest, activate
	return u, nil
}

// BringsWorkersDown reports whether workers were lost over the model more often than may be chance.
func (u Upload) BringsWorkersDown() bool { return u.Tries > MaxUploadTries }

// Become is an upload that has run and is a version now, also where another worker had refused it meanwhile.
func (u Upload) Become(v Version) Upload {
	u.State, u.Problem, u.VersionID = UploadAdded, "", &v.ID
	return u
}

// Refuse is an upload that was to be added and did not run, and why. Any other stays what it is.
func (u Upload) Refuse(problem string) Upload {
	if u.State == UploadAdding {
		u.State, u.Problem = UploadRefused, text.Clean(problem)
	}
	return u
}

// ForgettableUploads are the states of uploads that are removed when nobody comes back to them: no worker has them, and no version
// was made of them.
func ForgettableUploads() []UploadState { return []UploadState{UploadInspected, UploadRefused} }

// ReadManifest is the upload's manifest as a value. With an error, also where there is none, it holds what could be read.
func (u Upload) ReadManifest() (manifest.Manifest, error) {
	m, err := manifest.Stored(u.Manifest)
	if err != nil {
		return m, fmt.Errorf("upload %d: %w", u.ID, err)
	}
	return m, nil
}
