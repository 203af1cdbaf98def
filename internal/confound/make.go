package confound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/progress"
)

// Folders and files of a set.
const (
	imagesFolder = "images"
	masksFolder  = "masks"
	decoysFolder = "annotations/decoys" // readers of data sets pass over a folder of this name
	StudyFile    = "study.json"
)

// Plan is what Make has to do, as far as it is known before.
func Plan(s Source, o Options) []progress.Plan {
	read := s.Images.Len()
	if s.Places != nil {
		read += s.Places.Len()
	}
	return []progress.Plan{
		{Stage: progress.Reading, Total: read, Each: 5 * time.Millisecond},
		{Stage: progress.Composing, Total: 3 * s.Images.Len(), Each: 10 * time.Millisecond},
	}
}

// Make writes a set into the folder out, which it makes. The folder has to be empty or to hold a set of the same options and sources,
// whole or not, which is written again: the bytes are the same. meter has the stages of Plan.
//
// Photographs that cannot be read are left out and named (Study.Broken). It is an error if too few are left, and one that names what is
// missing and the remedy: no masks, a class with too few objects, a place without a photograph for a split. A full disk is
// annotator.ErrFull.
func Make(ctx context.Context, out string, s Source, o Options, meter *progress.Meter) (Study, error) {
	if err := o.Validate(); err != nil {
		return Study{}, err
	}
	if o.fewest() < 0 {
		return Study{}, errNoTest
	}
	before, err := readStudy(out)
	if err != nil {
		return Study{}, err
	}
	other := fmt.Errorf("%s holds a set of other options or photographs (%s): name another folder, or remove it", out, StudyFile)
	if before != nil && (before.Format != studyFormat || !reflect.DeepEqual(before.Options, o)) {
		return Study{}, other
	}
	meter.Begin(progress.Reading, 0)
	r := &reading{passed: map[string]*Passed{}, seen: map[string]string{}}
	objects, err := s.objects(ctx, o, r, meter)
	if err != nil {
		return Study{}, err
	}
	var places []place
	if o.Kind == Confounded {
		if places, err = s.places(ctx, o, r, s.Images.Len(), meter); err != nil {
			return Study{}, err
		}
	}
	classes, err := o.classes(objects, r, s.Images.Dir)
	if err != nil {
		return Study{}, err
	}
	cues := o.cues(len(classes), places)
	for k := range classes {
		classes[k].home = k % len(cues)
	}
	scenes := o.scenes(classes, cues, places)
	study := describe(o, classes, cues, places, scenes, r)
	if before != nil && !maps.Equal(before.Sources, study.Sources) {
		return Study{}, other
	}
	if err := study.write(ctx, out, s.Images, scenes, meter); err != nil {
		if full := disk.Full(err); full != err { //nolint:errorlint // whether it was made one
			return Study{}, fmt.Errorf("writing the set into %s: %w: free some room and give the same command again", out, full)
		}
		return Study{}, fmt.Errorf("writing the set into %s: %w", out, err)
	}
	return study, study.check(out)
}

// errNoTest is the error of shares that leave nothing for the test.
var errNoTest = errors.New("--train-objects, --validation-objects and --pool-objects leave no object for the test: shares have to be less than 1 together")

// readStudy reads the Study of a folder that is to be written to; nil if the folder is empty or not there.
func readStudy(out string) (*Study, error) {
	list, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(list) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(out, StudyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has files already, and no %s among them: name an empty folder", out, StudyFile)
	}
	if err != nil {
		return nil, err
	}
	var s Study
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s holds a %s that cannot be read (%w): name another folder", out, StudyFile, err)
	}
	return &s, nil
}

// write writes all files, and the digest into s.
func (s *Study) write(ctx context.Context, out string, images *dataset.Dataset, scenes []scene, meter *progress.Meter) error {
	total := 0
	folders := map[string]bool{out: true}
	for _, one := range scenes {
		total += len(one.shots)
		for _, shot := range one.shots {
			for _, file := range []string{shot.File, shot.Mask, shot.Avoid} {
				if file != "" {
					folders[filepath.Dir(filepath.Join(out, filepath.FromSlash(file)))] = true
				}
			}
		}
	}
	for folder := range folders {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := s.save(out); err != nil {
		return err
	}
	meter.Expect(progress.Composing, total, 0)
	meter.Begin(progress.Composing, 0)
	var mutex sync.Mutex
	var done atomic.Int64
	lines := make([]string, 0, total)
	err := each(ctx, len(scenes), nil, "", 0, func(ctx context.Context, i int) error {
		return scenes[i].compose(ctx, images, s.Options, func(shot shot, m made) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			line := []string{fmt.Sprintf("%q", s.Options.cells(shot.Row))}
			for _, f := range []struct {
				file    string
				picture image.Image
				pixels  []uint8
			}{{shot.File, m.picture, m.picture.Pix}, {shot.Mask, m.object, m.object.Pix}, {shot.Avoid, m.decoy, m.decoy.Pix}} {
				if f.file == "" {
					continue
				}
				if err := writePNG(filepath.Join(out, filepath.FromSlash(f.file)), f.picture); err != nil {
					return err
				}
				sum := sha256.Sum256(f.pixels)
				line = append(line, hex.EncodeToString(sum[:]))
			}
			mutex.Lock()
			lines = append(lines, strings.Join(line, " "))
			mutex.Unlock()
			meter.Advance(progress.Composing, int(done.Add(1)))
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.Digest = digestOf(lines)
	table, err := s.Options.table(scenes)
	if err != nil {
		return err
	}
	groups, err := groupTable(scenes)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{dataset.MetadataFile: table, filepath.Join(imagesFolder, dataset.MetadataFile): groups, "README.md": []byte(s.readme())} {
		if err := durable.WriteFile(filepath.Join(out, name), text); err != nil {
			return err
		}
	}
	return s.save(out)
}

// save writes study.json.
func (s *Study) save(out string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(out, StudyFile), append(text, '\n'))
}

// buffers are those of encoders and of files, since there are thousands of both.
var (
	encoderBuffers bufferPool
	fileBuffers    = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

type bufferPool struct{ pool sync.Pool }

// Get implements png.EncoderBufferPool.
func (p *bufferPool) Get() *png.EncoderBuffer {
	buffer, _ := p.pool.Get().(*png.EncoderBuffer)
	return buffer
}

// Put implements png.EncoderBufferPool.
func (p *bufferPool) Put(buffer *png.EncoderBuffer) { p.pool.Put(buffer) }

func writePNG(file string, picture image.Image) error {
	buffer, _ := fileBuffers.Get().(*bytes.Buffer)
	defer fileBuffers.Put(buffer)
	buffer.Reset()
	encoder := png.Encoder{CompressionLevel: png.DefaultCompression, BufferPool: &encoderBuffers}
	if err := encoder.Encode(buffer, picture); err != nil {
		return err
	}
	return os.WriteFile(file, buffer.Bytes(), 0o644)
}

// check reads the set as the studio's commands do and compares it with what was planned: names of classes that a reader of folders takes
// for something else are found here, and not in a training.
func (s Study) check(out string) (err error) {
	set, err := dataset.Open(dataset.Auto, filepath.Join(out, imagesFolder))
	if err != nil {
		return fmt.Errorf("the set that was made cannot be read: %w", err)
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	found := map[string]int{}
	for _, one := range set.All() {
		if one.Class != "" && one.Group != "" {
			found[one.Split]++
		}
	}
	var classes []string
	for _, c := range s.Classes {
		classes = append(classes, c.Class)
	}
	for _, split := range Splits {
		if found[split] != s.Splits[split].Pictures || !slices.Equal(classes, set.Classes) {
			return fmt.Errorf("the set that was made is read otherwise: %d pictures in %s and the classes %s: rename classes that are called like folders of data sets", found[split], split, some(set.Classes))
		}
	}
	return nil
}
