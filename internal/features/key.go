package features

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Origin says which network the features are of: what decides g, and what decides x.
type Origin struct {
	Extractor     string // SHA-256 of the extractor alone (annotator.Version.ExtractorHash)
	Preprocessing string // hash of how pixels become the input (manifest.Manifest.PreprocessingHash)
}

// Key identifies the features of one image. Every field is part of the address.
type Key struct {
	Origin
	Image    string // SHA-256 of the image file
	Mirrored bool   // features of the input flipped left to right
}

// digest is the address of an entry on disk.
func (k Key) digest() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %t", k.Extractor, k.Preprocessing, k.Image, k.Mirrored))
}

// folder is the name of the folder that holds the entries of an origin.
func (o Origin) folder() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", o.Extractor, o.Preprocessing))
	return hex.EncodeToString(sum[:8])
}
