// Command page writes the tables and plots of docs/studies from the rows of the studies there; make generate runs it.
//
// A study is a folder that studio study publish wrote. A page has a study's tables between the lines <!-- study NAME --> and
// <!-- end of NAME -->, the first of which may name the group that the worst fifth of classes is taken of, <!-- study NAME within away -->;
// its plots are NAME.svg and NAME-curves.svg. Between <!-- forecasts --> and <!-- end of forecasts --> a page has how the forecasts of
// all studies turned out.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/study"
)

func main() {
	if err := write(filepath.Join(fixture.Root(), "docs", "studies")); err != nil {
		fmt.Fprintln(os.Stderr, "docs/studies:", err)
		os.Exit(1)
	}
}

// write writes the tables of every page of a folder, and the plots.
func write(dir string) error {
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	var all []study.Cell // of every page
	for _, path := range pages {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		page, cells, err := withStudies(old, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		all = append(all, cells...)
		if err := os.WriteFile(path, page, 0o644); err != nil {
			return err
		}
	}
	for _, path := range pages {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, withForecasts(old, study.Records(all)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// withForecasts returns a page with how the forecasts of all studies turned out, where it has room for that.
func withForecasts(page []byte, record study.Record) []byte {
	const begin, end = "<!-- forecasts -->\n", "<!-- end of forecasts -->"
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, ends := bytes.Cut(rest, []byte(end))
	if !found || !ends {
		return page
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(begin)
	record.Print(&out)
	out.WriteString(end)
	out.Write(after)
	return out.Bytes()
}

// begins is the line before a study's tables.
var begins = regexp.MustCompile(`(?m)^<!-- study ([a-z0-9-]+)(?: within (\S+))? -->\n`)

// withStudies returns a page with the tables of its studies, and their cells, and writes their plots.
func withStudies(page []byte, dir string) (_ []byte, all []study.Cell, err error) {
	var out bytes.Buffer
	for {
		at := begins.FindSubmatchIndex(page)
		if at == nil {
			out.Write(page)
			return out.Bytes(), all, nil
		}
		name, within := string(page[at[2]:at[3]]), ""
		if at[4] >= 0 {
			within = string(page[at[4]:at[5]])
		}
		end := []byte("<!-- end of " + name + " -->")
		_, rest, found := bytes.Cut(page[at[1]:], end)
		if !found {
			return nil, nil, fmt.Errorf("the tables of %s do not end with %s", name, end)
		}
		cells, err := cellsOf(filepath.Join(dir, name), within)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, cells...)
		out.Write(page[:at[1]])
		fmt.Fprintf(&out, "![What the maps were worth over each arm](%s.svg)\n\n", name)
		drawn, err := plotCurves(cells, filepath.Join(dir, name+"-curves.svg"))
		if err != nil {
			return nil, nil, err
		}
		if drawn {
			fmt.Fprintf(&out, "![Accuracy by the number of edits](%s-curves.svg)\n\n", name)
		}
		study.PrintRounds(&out, cells)
		out.WriteByte('\n')
		out.Write(end)
		if err := plotCells(cells, filepath.Join(dir, name+".svg")); err != nil {
			return nil, nil, err
		}
		page = rest
	}
}

func cellsOf(dir, within string) ([]study.Cell, error) {
	rounds, err := study.ReadRounds(dir)
	if err != nil {
		return nil, err
	}
	if len(rounds) == 0 {
		return nil, fmt.Errorf("%s has no rounds", filepath.Base(dir))
	}
	return study.Cells(dir, rounds, within)
}
