package takeout

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// ReadSuffixes are the endings of files of maps that can be brought back.
var ReadSuffixes = slices.Concat([]string{".npz", ".zip"}, lineSuffixes, oneMap)

var (
	oneMap       = []string{".npy", ".png"} // a file is one map
	lineSuffixes = []string{".jsonl", ".ndjson"}
)

// Naming says how a map finds its image and what happens to it, for people.
const Naming = "A map is called like its image, with or without the image's ending, by its whole name (train/wren/1.jpg) or the last part of it; folders above all maps are passed over. " +
	"Its cells are those of the active version's grid, each in [0,1]; pixels of a PNG are divided by 255 or 65535. " +
	"All maps are checked before the first is added. Images that somebody has worked on keep what they have; the same file again adds nothing."

// Import brings the maps of a file or folder into a project.
type Import struct {
	Project     string // slug
	Path        string // .npz, .zip, .jsonl, one .npy or .png, or a folder of .npy and .png
	Name        string // what people call it; "": Path
	Choices     annotator.BringChoices
	SkipUnknown bool // leave out maps of images that are not there or can have none; without it they are an error
}

// Read reads the maps, finds their images and adds them (annotator.Service.BringMaps). Nothing is written unless all can be.
func Read(ctx context.Context, service *annotator.Service, actor annotator.User, in Import) (annotator.BringReport, error) {
	if in.Name == "" {
		in.Name = in.Path
	}
	targets, _, err := service.MapTargets(ctx, actor, in.Project)
	if err != nil {
		return annotator.BringReport{}, err
	}
	set, known, err := readMaps(in.Path, in.Name)
	if err != nil {
		return annotator.BringReport{}, err
	}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = EntryName(annotator.ExportedImage{Source: t.Source, Image: t.Name})
	}
	owners, above, err := set.Owners(names)
	if err != nil {
		return annotator.BringReport{}, invalid(err)
	}
	var maps []annotator.BroughtMap
	var unknown []string
	for i, m := range set.Maps {
		switch {
		case owners[i] < 0:
			unknown = append(unknown, m.Source+": the project has no image of this name")
			continue
		case targets[owners[i]].Why != "":
			unknown = append(unknown, m.Source+": "+targets[owners[i]].Why)
			continue
		}
		brought := annotator.BroughtMap{}
		if known != nil {
			brought = known[m.Source]
		}
		brought.From, brought.ImageID, brought.Map = m.Source, targets[owners[i]].ImageID, m.Map
		maps = append(maps, brought)
	}
	if len(unknown) > 0 && !in.SkipUnknown {
		return annotator.BringReport{}, &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("%d of %d maps cannot be added, the first: %s. Name each after its image, or ask to leave them out",
			len(unknown), len(set.Maps), unknown[0])}
	}
	report, err := service.BringMaps(ctx, actor, in.Project, in.Name, maps, in.Choices)
	if err != nil {
		return report, invalid(err)
	}
	report.Maps, report.Above, report.Unknown, report.UnknownNames = len(set.Maps), above, len(unknown), unknown[:min(annotator.MaxNamed, len(unknown))]
	return report, nil
}

// invalid makes a *annotator.ValidationError of an error that says what is wrong with a map.
func invalid(err error) error {
	var already *annotator.ValidationError
	for _, fault := range []error{attention.ErrGrid, attention.ErrValue, attention.ErrMarks, dataset.ErrNPY, dataset.ErrAmbiguous, dataset.ErrNoMaps} {
		if errors.Is(err, fault) {
			return &annotator.ValidationError{Field: "maps", Message: err.Error()}
		}
	}
	if errors.As(err, &already) && already.Error() != err.Error() { // with the place
		return &annotator.ValidationError{Field: already.Field, Message: strings.Replace(err.Error(), already.Error(), already.Message, 1)}
	}
	return err
}

// readMaps reads maps by the names of their images, and what JSON Lines say of each, by its source.
func readMaps(path, name string) (*dataset.MapSet, map[string]annotator.BroughtMap, error) {
	named := func(s string) string { return s }
	if path != name { // a temporary file or folder, which means nothing to people
		named = strings.NewReplacer(path+string(filepath.Separator), "", path, name).Replace
	}
	told := func(err error) error {
		if s := named(err.Error()); s != err.Error() {
			return &annotator.ValidationError{Field: "maps", Message: s}
		}
		return invalid(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, told(err)
	}
	switch suffix := strings.ToLower(filepath.Ext(name)); {
	case info.IsDir(), suffix == ".npz", suffix == ".zip":
		set, err := dataset.Maps(path)
		if err != nil {
			return nil, nil, told(err)
		}
		for i, m := range set.Maps {
			set.Maps[i].Source = named(m.Source)
		}
		return set, nil, nil
	case slices.Contains(oneMap, suffix):
		m, err := dataset.MapFile(path)
		if err != nil {
			return nil, nil, told(fmt.Errorf("reading map %s: %w", path, err))
		}
		base := filepath.Base(name)
		return &dataset.MapSet{Path: name, Maps: []dataset.EditedMap{{Key: text.NFC(base[:len(base)-len(suffix)]), Source: name, Map: m}}}, nil, nil
	case slices.Contains(lineSuffixes, suffix):
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, told(err)
		}
		defer f.Close()
		set, known, err := readLines(f, name)
		if err != nil {
			return nil, nil, told(err)
		}
		return set, known, nil
	}
	return nil, nil, &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("%s: want a folder, or a file that ends in one of %s", name, strings.Join(ReadSuffixes, ", "))}
}

// maxLine bounds a line of JSON: the largest grid at 24 characters a cell.
const maxLine = 24 * attention.MaxSide * attention.MaxSide

// readLines reads maps as JSON Lines.
func readLines(r io.Reader, name string) (*dataset.MapSet, map[string]annotator.BroughtMap, error) {
	set, known := &dataset.MapSet{Path: name, Whole: true}, map[string]annotator.BroughtMap{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	n := 0
	fault := func(err error) error {
		return &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("%s, line %d: %v", name, n, err)}
	}
	seen := map[string]int{}
	for lines.Scan() {
		n++
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var m annotator.ExportedMap
		if !text.Valid(lines.Text()) {
			return nil, nil, fault(errors.New("not UTF-8"))
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, nil, fault(err)
		}
		if m.Image == "" {
			return nil, nil, fault(errors.New(`it has no "image": name the image that the map is of`))
		}
		if m.Source == "" {
			m.Source = annotator.DefaultSource
		}
		grid := m.Edited()
		if err := grid.Validate(); err != nil {
			return nil, nil, fault(fmt.Errorf("%s: %w", m.Image, err))
		}
		key := text.NFC(EntryName(m.ExportedImage))
		if seen[key] > 0 {
			return nil, nil, fault(fmt.Errorf("%s has a map in line %d already: of several revisions, keep one an image", m.Image, seen[key]))
		}
		seen[key] = n
		source := fmt.Sprintf("%s, line %d (%s)", name, n, m.Image)
		set.Maps = append(set.Maps, dataset.EditedMap{Key: key, Source: source, Map: grid})
		brought := annotator.BroughtMap{Author: m.Author, Reviewer: m.Reviewer, Comment: m.Comment, State: annotator.EditState(m.State), Made: annotator.EditSource(m.Made),
			Created: m.CreatedAt, Provenance: slices.Clone(m.Provenance)}
		for _, at := range []struct {
			from *time.Time
			to   *time.Time
		}{{m.SubmittedAt, &brought.Submitted}, {m.ReviewedAt, &brought.Reviewed}} {
			if at.from != nil {
				*at.to = *at.from
			}
		}
		known[source] = brought
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		n++
		return nil, nil, fault(fmt.Errorf("longer than %d MiB", maxLine>>20))
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(set.Maps) == 0 {
		return nil, nil, &annotator.ValidationError{Field: "maps", Message: name + " has no map"}
	}
	return set, known, nil
}
