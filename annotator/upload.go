package annotator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/manifest"
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
	CreatedAt  time.Time       `json:"created_at"`
}

// ReadManifest is the upload's manifest as a value. With an error, also where there is none, it holds what could be read.
func (u Upload) ReadManifest() (manifest.Manifest, error) {
	m, err := manifest.Stored(u.Manifest)
	if err != nil {
		return m, fmt.Errorf("upload %d: %w", u.ID, err)
	}
	return m, nil
}
