package study

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/progress"
)

// campaign runs many experiments side by side. A file keeps the outcomes as they come, so that an interrupted campaign continues
// where it stopped. P is an experiment: its settings and, once it has run, its outcome.
type campaign[P any] struct {
	out      string // the file, a JSON document a line; "": nothing is kept
	parallel int    // groups at a time; 0: one per core
	// firstAlone lets the first group end before the others begin: it fills the store of features for them.
	firstAlone bool
	meter      *progress.Meter
	// try runs the experiments of a group one after the other and reports each outcome.
	try func(ctx context.Context, group []P, report func(P) error) error
}

// run runs the groups and returns the outcomes, in the order in which they came.
func (c campaign[P]) run(ctx context.Context, groups [][]P) (done []P, err error) {
	keep := func(P) error { return nil }
	if c.out != "" {
		file, err := os.OpenFile(c.out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) // before the first hour, not after it
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if err := endLine(file); err != nil {
			return nil, err
		}
		keep = func(p P) error {
			text, err := json.Marshal(p)
			if err != nil {
				return err
			}
			_, err = file.Write(append(text, '\n'))
			return err
		}
	}
	total := 0
	for _, g := range groups {
		total += len(g)
	}
	c.meter.Plan(progress.Plan{Stage: progress.Sweeping, Total: total})
	var mutex sync.Mutex
	report := func(p P) error {
		mutex.Lock()
		defer mutex.Unlock()
		done = append(done, p)
		c.meter.Advance(progress.Sweeping, len(done))
		return keep(p)
	}
	group, inner := errgroup.WithContext(ctx)
	parallel := c.parallel
	if parallel == 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	group.SetLimit(parallel)
	for i, list := range groups {
		if i == 0 && c.firstAlone {
			if err := c.try(inner, list, report); err != nil {
				return nil, err
			}
			continue
		}
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			return c.try(inner, list, report)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	c.meter.Finish()
	return done, nil
}

// endLine ends a line that a process was killed over: readOutcomes passes it by.
func endLine(file *os.File) error {
	text, err := os.ReadFile(file.Name())
	if err != nil || len(text) == 0 || text[len(text)-1] == '\n' {
		return err
	}
	return file.Truncate(int64(bytes.LastIndexByte(text, '\n') + 1))
}

// readOutcomes reads the outcomes that a campaign has kept in a file; none if there is no such file. A last line without an end is no
// outcome: its process was killed while it wrote.
func readOutcomes[P any](path string) ([]P, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []P
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var one P
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, len(list)+1, err)
		}
		list = append(list, one)
	}
	return list, nil
}
