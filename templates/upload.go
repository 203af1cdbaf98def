package templates

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/words"
)

// NewVersion is the view model of the page where a model is sent.
type NewVersion struct {
	MaxBytes int64
	Problem  string
	Names    manifest.PartNames // that were typed
	AskNames bool               // the parts were not found without more of them
}

// limitWord returns the largest size of a file in words.
func limitWord(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// Upload is the view model of an uploaded model file, which may become a version.
type Upload struct {
	Upload   annotator.Upload
	Job      *annotator.Job     // while a worker adds it
	Version  *annotator.Version // the version that was made of it; nil: none yet
	Form     ManifestForm
	Activate bool
	Problem  string
	Field    string // the field of the manifest that the problem is about: "mean", "classes[3]"
}

// ManifestForm is a manifest as people type it.
type ManifestForm struct {
	Resize, CropHeight, CropWidth string
	Fit                           string // manifest.Fit
	Aliased                       bool   // shrinking does not average over pixels (no antialiasing)
	Interpolation, Channels       string
	EXIF                          bool
	Scaling                       string // a key of scalings, or "own"
	Mean, Std                     string // with "own": numbers apart by commas
	Classes                       string // one per line
}

// scaling is a range that the form offers by name.
type scaling struct {
	key, label  string
	explanation func(ctx context.Context) string
	in          manifest.Range
}

var scalings = []scaling{
	{"imagenet", "ImageNet", func(ctx context.Context) string {
		return words.T(ctx, "mean {mean}; std {std}: what torchvision's models are trained with", "mean", meanText(manifest.ImageNet), "std", stdText(manifest.ImageNet))
	}, manifest.ImageNet},
	{"symmetric", "−1 … 1", func(ctx context.Context) string { return words.T(ctx, "mean 0.5, std 0.5") }, manifest.Symmetric},
	{"unit", "0 … 1", func(ctx context.Context) string { return words.T(ctx, "mean 0, std 1: x/255 as it is") }, manifest.Unit},
}

func meanText(r manifest.Range) string { return manifest.Numbers(r.Mean[:], ", ") }

func stdText(r manifest.Range) string { return manifest.Numbers(r.Std[:], ", ") }

// channelLabels are the orders of channels as the form calls them; one without an entry is called by its word.
var channelLabels = map[string]string{manifest.BGR: manifest.BGR + " (OpenCV)", manifest.Grey: words.Key("one, grey")}

// Scaling returns the mean and std of a preset for a number of channels; false for "own".
func Scaling(key string, channels int) (mean, std []float32, ok bool) {
	for _, s := range scalings {
		if s.key == key {
			mean, std = s.in.Of(channels)
			return mean, std, true
		}
	}
	return nil, nil, false
}

// NewManifestForm fills in the form: with the manifest that came with the file, else with the most common values that fit the network.
func NewManifestForm(u annotator.Upload, project annotator.Project) ManifestForm {
	m, err := u.ReadManifest()
	given := err == nil && m.Crop != (manifest.Crop{})
	r := u.Report
	f := ManifestForm{
		CropHeight: strconv.Itoa(cmp.Or(m.Crop[0], r.ImageHeight)), CropWidth: strconv.Itoa(cmp.Or(m.Crop[1], r.ImageWidth)),
		Interpolation: m.InterpolationOf(), Channels: m.Channels, EXIF: m.EXIF, Fit: string(m.FitOf()), Aliased: !m.Antialiased(),
		Mean: manifest.Numbers(m.Mean, ", "), Std: manifest.Numbers(m.Std, ", "), Classes: strings.Join(m.Classes, "\n"), Scaling: "imagenet",
	}
	if f.Channels == "" {
		f.Channels = manifest.ChannelsFor(r.ImageChannels)
	}
	switch {
	case m.Resize != nil:
		f.Resize = m.Resize.String()
	case !given && r.ImageHeight == 224 && r.ImageWidth == 224:
		f.Resize = "256"
	case !given:
		f.Resize = strconv.Itoa(min(r.ImageHeight, r.ImageWidth))
	}
	if len(m.Mean) > 0 {
		f.Scaling = "own"
		for _, s := range scalings {
			if mean, std := s.in.Of(len(m.Mean)); slices.Equal(m.Mean, mean) && slices.Equal(m.Std, std) {
				f.Scaling = s.key
			}
		}
	}
	if f.Classes == "" && len(project.Classes) == r.Classes {
		var keys []string
		for _, c := range project.Classes {
			keys = append(keys, c.Key)
		}
		f.Classes = strings.Join(keys, "\n")
	}
	return f
}

// editable reports whether the form asks for the manifest, because none came with the file or it cannot be used.
func (v Upload) editable() bool {
	return v.Upload.Report.ManifestProblem != nil || v.Field != "" || v.Upload.State == annotator.UploadRefused
}

// open reports whether the upload can still be added.
func (v Upload) open() bool {
	return v.Upload.State == annotator.UploadInspected || v.Upload.State == annotator.UploadRefused
}

// problemOf returns what is wrong with a field of the manifest, "" if nothing is.
func (v Upload) problemOf(field string) string {
	at, _, _ := strings.Cut(v.Field, "[")
	if at == field {
		return v.Problem
	}
	if p := v.Upload.Report.ManifestProblem; p != nil && v.Field == "" {
		if at, _, _ := strings.Cut(p.Field, "["); at == field && p.Field != "" {
			return p.Message
		}
	}
	return ""
}

// value returns the value of a role at which the graph is split: "features (N,256,14,14)".
func value(r annotator.ModelReport, role string) annotator.ModelValue {
	for _, v := range r.Values {
		if v.Role == role {
			return v
		}
	}
	return annotator.ModelValue{}
}

// gives lists the values that a part outputs.
func gives(r annotator.ModelReport, part string) []annotator.ModelValue {
	first, _, _ := strings.Cut(part, " ") // "attention branch"
	roles := map[string][]string{"extractor": {"features"}, "attention": {"map", "logits_att"}, "perception": {"logits_per"}}[first]
	var list []annotator.ModelValue
	for _, role := range roles {
		list = append(list, value(r, role))
	}
	return list
}

// roleWord returns the paper's word for a value.
func roleWord(role string) string {
	return map[string]string{"image": "x", "features": "g(x)", "map": "M(x)", "logits_att": "ŷ_att", "logits_per": "ŷ_per"}[role]
}

// opsText lists operators with their numbers, the most frequent first.
func opsText(ops map[string]int) string {
	names := slices.Collect(maps.Keys(ops))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(ops[b], ops[a]), cmp.Compare(a, b)) })
	var texts []string
	for _, n := range names {
		texts = append(texts, fmt.Sprintf("%s %d", n, ops[n]))
	}
	return strings.Join(texts, ", ")
}

// obstacleRow is one obstacle and the ways of training that it prevents.
type obstacleRow struct {
	annotator.Obstacle
	cases []string
}

// obstacles lists every obstacle once, of one engine or ("") of all.
func obstacles(training []annotator.Trainability, engine recipe.Engine) []obstacleRow {
	var rows []obstacleRow
	for _, t := range training {
		if engine != "" && t.Engine != engine {
			continue
		}
		for _, o := range t.Obstacles {
			i := slices.IndexFunc(rows, func(r obstacleRow) bool { return r.Obstacle == o })
			if i < 0 {
				i = len(rows)
				rows = append(rows, obstacleRow{Obstacle: o})
			}
			rows[i].cases = append(rows[i].cases, fmt.Sprintf("%s: %s, %s", t.Engine.Label(), t.Strategy, t.BatchNorm))
		}
	}
	for i, r := range rows { // if it prevents all of an engine's ways, only the engine is named
		for _, e := range recipe.Engines() {
			mine := slices.DeleteFunc(slices.Clone(r.cases), func(c string) bool { return !strings.HasPrefix(c, e.Label()+":") })
			if len(mine) == len(recipe.Ways()) {
				r.cases = slices.DeleteFunc(r.cases, func(c string) bool { return slices.Contains(mine, c) })
				r.cases = append(r.cases, e.Label())
			}
		}
		rows[i].cases = r.cases
	}
	return rows
}

// canTrain reports whether an engine ("": any) can train in some way; true if that is not known.
func canTrain(training []annotator.Trainability, engine recipe.Engine) bool {
	asked := false
	for _, t := range training {
		if engine == "" || t.Engine == engine {
			asked = true
			if t.OK() {
				return true
			}
		}
	}
	return !asked
}

// trainsOn names the engines that can train a network: "ONNX Runtime, Gorgonia in part".
func trainsOn(ctx context.Context, training []annotator.Trainability) string {
	var able []string
	for _, e := range recipe.Engines() {
		switch {
		case !canTrain(training, e):
		case len(obstacles(training, e)) > 0:
			able = append(able, words.T(ctx, "{engine} in part", "engine", e.Label()))
		default:
			able = append(able, e.Label())
		}
	}
	if len(able) == 0 {
		return words.T(ctx, "none")
	}
	return strings.Join(able, ", ")
}
