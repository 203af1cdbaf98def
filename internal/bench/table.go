package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/abn-studio/studio/internal/ort"
)

// Table times training steps, scans and live scores of networks, here and in PyTorch.
type Table struct {
	PyTorch  PyTorch
	Networks []string // names of architecture.Named
	Train    Train    // of each network: its Arch and PyTorch are not read
	Scan     Scan
	Score    Score
	Build    string       // which studio this is
	Progress func(string) // called before each row is measured; nil: nobody is told
}

// TableResult is what Table measured.
type TableResult struct {
	Machine string     `json:"machine"`
	Ours    string     `json:"ours"` // versions
	PyTorch string     `json:"pytorch"`
	Loads   [2]string  `json:"loads"` // of the machine, before and after
	Rows    []TableRow `json:"rows"`
}

// TableRow is one job on one network.
type TableRow struct {
	Job     string `json:"job"`
	Network string `json:"network"`
	Ours    Took   `json:"ours"`
	Against
	OverPyTorch float64 `json:"over_pytorch_ratio"`      // time of PyTorch's fastest form ÷ ours
	OverBare    float64 `json:"over_bare_ratio"`         // what Bare says
	Bare        string  `json:"over_bare_ratio_meaning"` // the ratio's name in the job's own command
}

// Measure times all jobs on each network in turn.
func (c Table) Measure(ctx context.Context) (result TableResult, err error) {
	if c.PyTorch.Python, err = findPyTorch(ctx, c.PyTorch.Python); err != nil { // before anything is timed
		return result, fmt.Errorf("bench table: %w", err)
	}
	result.Machine, result.Loads[0] = machine(), load()
	for _, network := range c.Networks {
		train, scan, score := c.Train, c.Scan, c.Score
		train.Arch, scan.Arch, score.Arch = network, network, network
		train.PyTorch, scan.PyTorch, score.PyTorch = c.PyTorch, c.PyTorch, c.PyTorch
		for _, measure := range []func() (TableRow, error){
			func() (TableRow, error) {
				r, err := train.Measure(ctx)
				return TableRow{
					Job: fmt.Sprintf("training step, %d images", r.Batch), Ours: r.Ours, Against: r.Against,
					OverPyTorch: r.OverPyTorch, OverBare: r.Ratio, Bare: "train_over_gemm_ratio",
				}, err
			},
			func() (TableRow, error) {
				r, err := scan.Measure(ctx)
				return TableRow{
					Job: fmt.Sprintf("scan, %d images", r.Pictures), Ours: r.Ours, Against: r.Against,
					OverPyTorch: r.OverPyTorch, OverBare: r.Ratio, Bare: "scan_over_bare_ratio",
				}, err
			},
			func() (TableRow, error) {
				r, err := score.Measure(ctx)
				return TableRow{
					Job: "live score", Ours: r.Ours, Against: r.Against,
					OverPyTorch: r.OverPyTorch, OverBare: r.Ratio, Bare: "score_over_bare_ratio",
				}, err
			},
		} {
			row, err := measure()
			if err == nil && row.Fastest == "" {
				err = fmt.Errorf("no comparison with PyTorch: %s", row.PyTorch)
			}
			if err != nil {
				return result, fmt.Errorf("bench table: %s, %s: %w", network, row.Job, err)
			}
			row.Network = network
			result.Rows, result.PyTorch = append(result.Rows, row), row.PyTorch
			if c.Progress != nil {
				c.Progress(fmt.Sprintf("%s, %s: %.2f", network, row.Job, row.OverPyTorch))
			}
		}
	}
	result.Ours, result.Loads[1] = fmt.Sprintf("ABN Studio %s, ONNX Runtime %s", c.Build, ort.Version()), load()
	return result, nil
}

// Print writes the table in Markdown.
func (r TableResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s; load of the machine %s before and %s after. %s; %s. Medians, lowest to highest.\n\n", r.Machine, r.Loads[0], r.Loads[1], r.Ours, r.PyTorch)
	for i, row := range r.Rows {
		if i == 0 {
			fmt.Fprint(w, "| network | what | ours |")
			for _, f := range row.Forms {
				fmt.Fprintf(w, " %s |", f.Form)
			}
			fmt.Fprintf(w, " PyTorch's fastest ÷ ours | to the bare runtime |\n%s|\n", strings.Repeat("|---", len(row.Forms)+5))
		}
		fmt.Fprintf(w, "| %s | %s | %v |", row.Network, row.Job, row.Ours)
		for _, f := range row.Forms {
			fmt.Fprintf(w, " %v |", f)
		}
		fmt.Fprintf(w, " **%.2f** | %.2f (`%s`) |\n", row.OverPyTorch, row.OverBare, row.Bare)
	}
	return nil
}

// The lines between which a page has the table.
const (
	tableBegin = "<!-- bench table -->\n"
	tableEnd   = "<!-- end of bench table -->"
)

// TablePage is a page with room for a table.
type TablePage struct {
	path          string
	before, after []byte
}

// OpenTablePage finds a page's room, which is between two lines of comment.
func OpenTablePage(path string) (*TablePage, error) {
	page, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	before, rest, found := bytes.Cut(page, []byte(tableBegin))
	_, after, ends := bytes.Cut(rest, []byte(tableEnd))
	if !found || !ends {
		return nil, fmt.Errorf("%s has no lines %s and %s", path, strings.TrimSpace(tableBegin), tableEnd)
	}
	return &TablePage{path, before, after}, nil
}

// Write puts the table in the place of the one that is there.
func (p *TablePage) Write(r TableResult) error {
	var out bytes.Buffer
	out.Write(p.before)
	out.WriteString(tableBegin)
	if err := r.Print(&out); err != nil {
		return err
	}
	out.WriteString(tableEnd)
	out.Write(p.after)
	return os.WriteFile(p.path, out.Bytes(), 0o644)
}
