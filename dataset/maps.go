package dataset

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// Errors that Maps and Match wrap.
var (
	ErrNoMaps    = errors.New("no attention map found")
	ErrAmbiguous = errors.New("the name of a map fits several images")
)

// EditedMap is one map of a MapSet.
type EditedMap struct {
	Key    string // the image's name, as the file or npz entry gives it, without .npy or .png
	Source string // where it was read, for messages
	Map    attention.Map
}

// MapSet holds edited maps, ordered by key, each valid on a grid of its own.
type MapSet struct {
	Path  string
	Maps  []EditedMap
	Whole bool // keys are images' whole names, as a file says that names them: nothing is above them
}

// Maps reads edited attention maps: a folder of .npy or grey .png files, in folders below it too,
// one .npz, or a .zip of such files. Each is called like its image, with or without the image's suffix, by the whole path
// below the data set's root or by the file's name alone. A PNG's pixels are the cells, 255 is 1. A file NAME.marks beside the map NAME
// has the marks of its cells (MarksAsMap).
//
// The first file that is no valid map is an error, which names the file and, for a value outside [0,1], the cell; it wraps ErrNPY,
// attention.ErrGrid or attention.ErrValue. Files of other types are ignored; if there is no map at all the error is ErrNoMaps.
func Maps(path string) (*MapSet, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening maps: %w", err)
	}
	set := &MapSet{Path: path}
	suffix := strings.ToLower(filepath.Ext(path))
	switch {
	case info.IsDir():
		err = set.readDir(path)
	case suffix == ".npz" || suffix == ".zip":
		err = set.readArchive(path)
	default:
		return nil, fmt.Errorf("opening maps: %s is neither a folder nor an .npz or .zip file", path)
	}
	if err != nil {
		return nil, err
	}
	if len(set.Maps) == 0 {
		return nil, fmt.Errorf("%w in %s: want .npy or grey .png files named after their images, or an .npz", ErrNoMaps, path)
	}
	slices.SortFunc(set.Maps, func(a, b EditedMap) int { return strings.Compare(a.Key, b.Key) })
	for i, m := range set.Maps[1:] {
		if set.Maps[i].Key == m.Key {
			return nil, fmt.Errorf("two maps are called %s: %s and %s", m.Key, set.Maps[i].Source, m.Source)
		}
	}
	return set, set.takeMarks()
}

// MarksEnding is what the name of a map has behind it where the file is not the map but the marks of its cells.
const MarksEnding = ".marks"

// marksLevels are what a cell of such a file has.
var marksLevels = map[attention.Mark]float32{attention.Valued: 0, attention.Unknown: 0.5, attention.Avoided: 1}

// MarksAsMap writes the marks of a map as a map of its own: 0 where a cell carries its value, 0.5 where the person does not know, 1 where
// nothing is to be looked at.
func MarksAsMap(m attention.Map) attention.Map {
	out := attention.New(m.Height, m.Width)
	for i := range out.Values {
		out.Values[i] = marksLevels[m.Marks.At(i)]
	}
	return out
}

// marksOf reads what MarksAsMap wrote, also from a picture of 8 bits.
func marksOf(m attention.Map) (attention.Marks, error) {
	marks := make([]byte, len(m.Values))
	for i, v := range m.Values {
		for mark, level := range marksLevels {
			if math.Abs(float64(v-level)) <= 1.0/255 {
				marks[i] = byte(mark)
			}
		}
		if marks[i] == 0 {
			return "", fmt.Errorf("%w: row %d, column %d is %v, want 0 (it carries its value), 0.5 (don't know) or 1 (do not look here)", attention.ErrMarks, i/m.Width, i%m.Width, v)
		}
	}
	return attention.Marks(marks).Plain(), nil
}

// takeMarks gives maps the marks that stand beside them.
func (s *MapSet) takeMarks() error {
	at := make(map[string]int, len(s.Maps))
	for i, m := range s.Maps {
		at[m.Key] = i
	}
	taken := map[string]bool{}
	for _, m := range s.Maps {
		i, beside := at[strings.TrimSuffix(m.Key, MarksEnding)]
		if !beside || s.Maps[i].Key == m.Key {
			continue
		}
		if m.Map.Height != s.Maps[i].Map.Height || m.Map.Width != s.Maps[i].Map.Width {
			return fmt.Errorf("%s: %w: %d×%d cells, its map %s has %d×%d", m.Source, attention.ErrGrid, m.Map.Height, m.Map.Width, s.Maps[i].Source, s.Maps[i].Map.Height, s.Maps[i].Map.Width)
		}
		marks, err := marksOf(m.Map)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Source, err)
		}
		s.Maps[i].Map.Marks, taken[m.Key] = marks, true
	}
	s.Maps = slices.DeleteFunc(s.Maps, func(m EditedMap) bool { return taken[m.Key] })
	return nil
}

// ValidateOn returns an error that names the first map that is not on the model's grid of height × width cells.
func (s *MapSet) ValidateOn(height, width int) error {
	for _, m := range s.Maps {
		if err := m.Map.ValidateOn(height, width); err != nil {
			return fmt.Errorf("%s: %w: draw or scale it to %d rows and %d columns, the grid of the maps that predict writes", m.Source, err, height, width)
		}
	}
	return nil
}

// Match finds the image of each map. The result is keyed by Sample.Name; unused lists the sources of maps whose image is not among
// samples. ErrAmbiguous if a name fits several images, or if two maps are of one image.
func (s *MapSet) Match(samples []Sample) (maps map[string]attention.Map, unused []string, err error) {
	names := make([]string, len(samples))
	for i, sample := range samples {
		names[i] = sample.Name
	}
	owners, _, err := s.Owners(names)
	if err != nil {
		return nil, nil, err
	}
	maps = make(map[string]attention.Map, len(s.Maps))
	for i, owner := range owners {
		if owner < 0 {
			unused = append(unused, s.Maps[i].Source)
		} else {
			maps[names[owner]] = s.Maps[i].Map
		}
	}
	return maps, unused, nil
}

// Owners returns for each map the place of its image's name in names, -1 if it is not there, and the folders above all maps that no
// image's name has, "" if there are none. ErrAmbiguous as in Match.
func (s *MapSet) Owners(names []string) (owners []int, above string, err error) {
	// Forms of a name, the most precise first.
	forms := []func(string) string{
		func(name string) string { return name },
		withoutSuffix,
		path.Base,
		func(name string) string { return path.Base(withoutSuffix(name)) },
	}
	index := make([]map[string][]int, len(forms))
	for i, form := range forms {
		index[i] = make(map[string][]int, len(names))
		for at, name := range names {
			key := form(name)
			index[i][key] = append(index[i][key], at)
		}
	}
	if !s.Whole {
		above = s.folderAbove(func(key string) bool { return len(index[0][key])+len(index[1][key]) > 0 })
	}
	owners = make([]int, len(s.Maps))
	source := map[int]string{}
	for k, m := range s.Maps {
		owners[k] = -1
		var fit []int
		for i := range index {
			if fit = index[i][strings.TrimPrefix(m.Key, above)]; len(fit) > 0 {
				break
			}
		}
		switch {
		case len(fit) == 0:
			continue
		case len(fit) > 1:
			return nil, above, fmt.Errorf("%w: %s could be %s or %s: name it by the path below the data set's root", ErrAmbiguous, m.Source, names[fit[0]], names[fit[1]])
		case source[fit[0]] != "":
			return nil, above, fmt.Errorf("%w: %s and %s are both maps of %s", ErrAmbiguous, source[fit[0]], m.Source, names[fit[0]])
		}
		owners[k], source[fit[0]] = fit[0], m.Source
	}
	return owners, above, nil
}

// folderAbove returns the folders that all maps lie in and no image's name has, with a slash at the end: that of an archive that was
// made of a folder, or of a folder that was dropped. "" if there are none, or if without them no name is known either.
func (s *MapSet) folderAbove(known func(string) bool) string {
	if len(s.Maps) == 0 || slices.ContainsFunc(s.Maps, func(m EditedMap) bool { return known(m.Key) }) {
		return ""
	}
	for above := ""; ; {
		first, _, below := strings.Cut(s.Maps[0].Key[len(above):], "/")
		if !below {
			return ""
		}
		above += first + "/"
		for _, m := range s.Maps {
			if !strings.HasPrefix(m.Key, above) {
				return ""
			}
		}
		if slices.ContainsFunc(s.Maps, func(m EditedMap) bool { return known(m.Key[len(above):]) }) {
			return above
		}
	}
}

func withoutSuffix(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

func (s *MapSet) readDir(dir string) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading maps: %w", err)
		}
		if file != dir && passOver(entry) != "" {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		suffix := strings.ToLower(filepath.Ext(file))
		if entry.IsDir() || suffix != ".npy" && suffix != ".png" {
			return nil
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		m, err := readMapFile(file, suffix)
		if err != nil {
			return fmt.Errorf("reading map %s: %w", file, err)
		}
		key := text.NFC(filepath.ToSlash(name))
		s.Maps = append(s.Maps, EditedMap{Key: key[:len(key)-len(suffix)], Source: file, Map: m})
		return nil
	})
}

// MapFile reads one map of an .npy or grey .png file.
func MapFile(file string) (attention.Map, error) {
	return readMapFile(file, strings.ToLower(filepath.Ext(file)))
}

func readMapFile(file, suffix string) (attention.Map, error) {
	f, err := os.Open(file)
	if err != nil {
		return attention.Map{}, err
	}
	defer f.Close()
	if suffix == ".png" {
		return readMapPNG(f)
	}
	return readNPY(f)
}

// readMapPNG reads a grey PNG of one pixel a cell.
func readMapPNG(r io.ReadSeeker) (attention.Map, error) {
	config, err := png.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return attention.Map{}, err
	}
	if config.Width > attention.MaxSide || config.Height > attention.MaxSide {
		return attention.Map{}, fmt.Errorf("%w: %d×%d pixels, want one a cell and at most %d on a side", attention.ErrGrid, config.Width, config.Height, attention.MaxSide)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return attention.Map{}, err
	}
	picture, err := png.Decode(bufio.NewReader(r))
	if err != nil {
		return attention.Map{}, err
	}
	bounds := picture.Bounds()
	m := attention.New(bounds.Dy(), bounds.Dx())
	for row := range m.Height {
		for column := range m.Width {
			v, grey := greyOf(picture.At(bounds.Min.X+column, bounds.Min.Y+row))
			if !grey {
				return attention.Map{}, fmt.Errorf("%w: the pixel in row %d, column %d is not grey: save the map as a grey PNG without transparency", attention.ErrValue, row, column)
			}
			m.Values[row*m.Width+column] = float32(v) / 0xffff
		}
	}
	return m, nil
}

func (s *MapSet) readArchive(file string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("reading maps %s: %w", file, err)
	}
	defer archive.Close()
	return s.addArchive(&archive.Reader, file)
}

// maxMapPNG bounds a picture of a map in an archive: 16 bits of each of MaxSide² cells, not compressed.
const maxMapPNG = 2*attention.MaxSide*attention.MaxSide + 1<<16

func (s *MapSet) addArchive(archive *zip.Reader, file string) error {
	for _, entry := range archive.File {
		suffix := strings.ToLower(path.Ext(entry.Name))
		if entry.FileInfo().IsDir() || suffix != ".npy" && suffix != ".png" {
			continue
		}
		source := file + ":" + entry.Name
		content, err := entry.Open()
		if err != nil {
			return fmt.Errorf("reading map %s: %w", source, err)
		}
		var m attention.Map
		if suffix == ".npy" {
			m, err = readNPY(content)
		} else {
			var raw []byte
			if raw, err = io.ReadAll(io.LimitReader(content, maxMapPNG)); err == nil {
				m, err = readMapPNG(bytes.NewReader(raw))
			}
		}
		content.Close()
		if err != nil {
			return fmt.Errorf("reading map %s: %w", source, err)
		}
		key := text.NFC(strings.ReplaceAll(entry.Name[:len(entry.Name)-len(suffix)], `\`, "/"))
		s.Maps = append(s.Maps, EditedMap{Key: key, Source: source, Map: m})
	}
	return nil
}
