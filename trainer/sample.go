package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/manifest"
)

// Sample is one image of a run: what it shows, and what people said of it.
type Sample struct {
	ID     int64         // the caller's; outcomes name images by it
	Name   string        // for messages
	Hash   string        // SHA-256 of the image file, lower-case hex: keys the feature store
	Label  int           // class index, 0 … K−1
	Group  string        // subgroup for worst-group accuracy; "" if unknown
	Edited attention.Map // M′, a person's approved map on the model's grid; zero if there is none
	Mask   attention.Map // the object's mask averaged to the model's grid; zero if unknown
}

// Lineage says where a fine-tuned model comes from; it goes into its metadata_props. The parent's
// hash, the number of edits, the settings and the seed are added by RunRound.
type Lineage struct {
	Round   int64  // 0 outside a project
	Project string // slug, "" outside a project
}

// checkSamples refuses what cannot be trained on, naming the image and what is wrong.
func checkSamples(samples []Sample, classes, height, width int) error {
	for _, s := range samples {
		if s.Label < 0 || s.Label >= classes {
			return fmt.Errorf("image %s: label %d, but the model has the classes 0 to %d", s.Name, s.Label, classes-1)
		}
		if s.Hash == "" {
			return fmt.Errorf("image %s: no hash", s.Name)
		}
		if !s.Edited.IsZero() {
			if err := s.Edited.ValidateOn(height, width); err != nil {
				return fmt.Errorf("edited map of image %s: %w", s.Name, err)
			}
		}
		if !s.Mask.IsZero() {
			if err := s.Mask.ValidateOn(height, width); err != nil {
				return fmt.Errorf("mask of image %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// writeSamples feeds h all of the samples that training depends on.
func writeSamples(h hash.Hash, samples []Sample) {
	for _, s := range samples {
		fmt.Fprintf(h, "%d %s %d %d %d\n", s.ID, s.Hash, s.Label, s.Edited.Height, s.Edited.Width)
		h.Write(s.Edited.Bytes())
	}
}

// runKey identifies a run: two runs with one key make the same network. A checkpoint carries the
// key of its run and is of no use to another. validation is what early stopping looks at, nil without it.
func runKey(modelHash string, s Settings, samples, validation []Sample) string {
	h := sha256.New()
	settings, err := json.Marshal(s)
	if err != nil { // NaN, which Validate has refused
		panic(err)
	}
	fmt.Fprintf(h, "run 1\n%s\n%s\n", modelHash, settings)
	writeSamples(h, samples)
	if validation != nil {
		fmt.Fprintln(h, "validation")
		writeSamples(h, validation)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// PreprocessingHash is the hash of those fields of a manifest that decide how pixels become the
// network's input; the names of classes and parts are not among them.
func PreprocessingHash(m manifest.Manifest) string {
	m.Classes, m.Names = nil, nil
	data, err := json.Marshal(m)
	if err != nil { // a NaN mean, which no reader of manifests lets through
		data = fmt.Appendf(nil, "%+v", m)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
