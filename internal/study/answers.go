package study

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/measure"

	"github.com/abn-studio/studio/internal/text"
)

// answersEnd is how the names of files of answers end: a table of a line an image and a column an arm, which takes a twentieth of the
// room of a round's rows.
const answersEnd = ".csv.gz"

// answersHead are the columns before the arms'.
var answersHead = []string{"set", "image", "group", "cluster", "label"}

// writeAnswers writes which class each arm answered to each image. An arm that did not answer an image has nothing there.
func writeAnswers(w io.Writer, rows []measure.ArmRow) error {
	type image struct {
		set  measure.ImageSet
		name string
	}
	type answer struct {
		image
		arm arms.Arm
	}
	var images []measure.ArmRow // the first row of each
	known, answers, columns := map[image]bool{}, map[answer]int{}, []arms.Arm{}
	has := map[arms.Arm]bool{}
	for _, r := range rows {
		at := image{r.Set, r.Image}
		if !known[at] {
			known[at], images = true, append(images, r)
		}
		if _, twice := answers[answer{at, r.Arm}]; twice {
			return fmt.Errorf("%s answers %s twice: answers are of one seed", r.Arm, r.Image)
		}
		answers[answer{at, r.Arm}], has[r.Arm] = r.Predicted, true
	}
	table := text.NewCSV(w)
	head := answersHead
	for _, arm := range arms.All() {
		if has[arm] {
			columns, head = append(columns, arm), append(head[:len(head):len(head)], string(arm))
		}
	}
	if err := table.Write(head); err != nil {
		return err
	}
	for _, r := range images {
		line := []string{string(r.Set), r.Image, r.Group, r.Cluster, strconv.Itoa(r.Label)}
		for _, arm := range columns {
			cell := ""
			if class, answered := answers[answer{image{r.Set, r.Image}, arm}]; answered {
				cell = strconv.Itoa(class)
			}
			line = append(line, cell)
		}
		if err := table.Write(line); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// readAnswers reads what writeAnswers wrote of a seed, as rows of which nothing but the answer is known, an arm after the other.
func readAnswers(r io.Reader, seed int64) (rows []measure.ArmRow, err error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || len(lines[0]) < len(answersHead) {
		return nil, fmt.Errorf("no table of answers")
	}
	for column, arm := range lines[0][len(answersHead):] {
		for n, line := range lines[1:] {
			cell := line[len(answersHead)+column]
			if cell == "" {
				continue
			}
			row := measure.ArmRow{Arm: arms.Arm(arm), Seed: seed, Set: measure.ImageSet(line[0]), Row: measure.Row{Image: line[1], Group: line[2], Cluster: line[3]}}
			if row.Label, err = strconv.Atoi(line[4]); err == nil {
				row.Predicted, err = strconv.Atoi(cell)
			}
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n+2, err)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}
