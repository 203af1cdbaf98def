package measure

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/internal/text"
)

// WriteArmRows writes rows as JSON Lines.
func WriteArmRows(w io.Writer, rows []ArmRow) error {
	buffered := bufio.NewWriter(w)
	lines := json.NewEncoder(buffered)
	for _, r := range rows {
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// ReadArmRows reads what WriteArmRows wrote.
func ReadArmRows(r io.Reader) (rows []ArmRow, err error) {
	lines := json.NewDecoder(bufio.NewReader(r))
	for {
		var row ArmRow
		switch err := lines.Decode(&row); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// WriteArmCSV writes rows as a table with a header. classes are the classes' names; measures of maps have a column each, empty where a
// row has none.
func WriteArmCSV(w io.Writer, rows []ArmRow, classes []string) error {
	measures := map[string]bool{}
	for _, r := range rows {
		for name := range r.Figures {
			measures[name] = true
		}
	}
	figures := slices.Sorted(maps.Keys(measures))
	name := func(class int) string {
		if class < len(classes) {
			return classes[class]
		}
		return ""
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	table := text.NewCSV(w)
	head := []string{"arm", "seed", "set", "image", "group", "cluster", "label", "label_name", "predicted", "predicted_name", "correct", "confidence", "top5", "attention_correct"}
	if err := table.Write(append(head, figures...)); err != nil {
		return err
	}
	for _, r := range rows {
		line := []string{
			string(r.Arm), strconv.FormatInt(r.Seed, 10), string(r.Set), r.Image, r.Group, r.Cluster, strconv.Itoa(r.Label), name(r.Label), strconv.Itoa(r.Predicted), name(r.Predicted),
			strconv.FormatBool(r.Correct()), number(r.Confidence), strconv.FormatBool(r.Top5), strconv.FormatBool(r.AttentionCorrect),
		}
		for _, f := range figures {
			cell := ""
			if v, has := r.Figures[f]; has {
				cell = number(v)
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
