package study

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/trainer/measure"
)

// answersFolder is where a published study has its answers.
const answersFolder = "answers"

// Publish writes a study to another folder in the form in which a repository keeps it: what each arm answered to each image, and the
// figures of each arm that do not follow from that. Its table is that of the study. What the folder has of the same study is replaced.
func Publish(dir, out string) (rounds int, err error) {
	if inFolder(dir, out) {
		return 0, fmt.Errorf("%s is the study itself: publish it to another folder", out)
	}
	settings, err := os.ReadFile(filepath.Join(dir, studyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s holds no round of a study", dir)
	}
	if err != nil {
		return 0, err
	}
	if err := sameStudy(settings, out); err != nil {
		return 0, err
	}
	list, err := ReadRounds(dir)
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return 0, fmt.Errorf("%s holds no round of a study", dir)
	}
	if err := os.MkdirAll(filepath.Join(out, answersFolder), 0o755); err != nil {
		return 0, err
	}
	for i, p := range list {
		if p.Error != "" {
			continue
		}
		rows, err := ReadRows(dir, p)
		if err != nil {
			return 0, err
		}
		p.Figures = figuresOf(p, rows)
		p.Rows = answersFolder + "/" + strings.TrimSuffix(filepath.Base(p.file()), rowsEnd) + answersEnd
		if err := durable.Write(filepath.Join(out, p.Rows), func(w io.Writer) error {
			packed := gzip.NewWriter(w)
			return errors.Join(writeAnswers(packed, rows), packed.Close())
		}); err != nil {
			return 0, err
		}
		list[i] = p
	}
	if err := durable.WriteFile(filepath.Join(out, studyFile), settings); err != nil {
		return 0, err
	}
	return len(list), durable.Write(filepath.Join(out, OutcomesFile), func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, p := range list {
			if err := lines.Encode(p); err != nil {
				return err
			}
		}
		return nil
	})
}

// inFolder reports whether two names are one folder.
func inFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// sameStudy refuses a folder that has another study, or one whose rows would be lost.
func sameStudy(settings []byte, out string) error {
	if _, err := os.Stat(filepath.Join(out, "rows")); err == nil {
		return fmt.Errorf("%s has the rows of a study: publish to another folder", out)
	}
	there, err := os.ReadFile(filepath.Join(out, studyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var was, is claimed
	if err := errors.Join(err, json.Unmarshal(there, &was), json.Unmarshal(settings, &is)); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	for seed, digest := range was.Pictures {
		if now, has := is.Pictures[seed]; has && now != digest {
			return fmt.Errorf("%s has a study of other pictures (seed %s): publish to another folder", out, seed)
		}
	}
	was.Pictures = is.Pictures
	if before, err := json.Marshal(was); err != nil || !same(before, is) {
		return errors.Join(err, fmt.Errorf("%s has another study: publish to another folder", out))
	}
	return nil
}

// figuresOf are the figures of each arm of a round on the held-out images, by the measure's name, to six places.
func figuresOf(p RoundPoint, rows []measure.ArmRow) map[arms.Arm]map[string]float64 {
	if p.Figures != nil {
		return p.Figures
	}
	of := map[arms.Arm][]measure.Row{}
	for _, r := range rows {
		if r.Set == measure.OfTest {
			of[r.Arm] = append(of[r.Arm], r.Row)
		}
	}
	figures := map[arms.Arm]map[string]float64{}
	for arm, rows := range of {
		figures[arm] = map[string]float64{}
		for _, f := range measure.Table(rows, p.Classes) {
			if f.Images > 0 {
				figures[arm][f.Name] = math.Round(1e6*f.Value) / 1e6
			}
		}
	}
	return figures
}
