package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// PreprocessingHash is the hash of those fields of a manifest that decide how pixels become the
// network's input; the names of classes and parts are not among them.
func (m Manifest) PreprocessingHash() string {
	m.Classes, m.Names = nil, nil
	data, err := json.Marshal(m)
	if err != nil { // a NaN mean, which no reader of manifests lets through
		data = fmt.Appendf(nil, "%+v", m)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
