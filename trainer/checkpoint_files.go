package trainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/trainer/engine"
)

// checkpoints keeps one arm's checkpoints in a folder: the last two, written to two files in turn, so that there is a whole one
// at any time; and the parameters of the best epoch that each of the two names.
type checkpoints struct {
	dir  string
	arm  Arm
	next int    // the slot that is written next
	best [2]int // the best epoch that each slot's checkpoint names, 0: none
}

func (c *checkpoints) path(slot int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-%d.checkpoint", c.arm, slot))
}

func (c *checkpoints) bestPath(epoch int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-best-%d.checkpoint", c.arm, epoch))
}

// save writes a checkpoint so that after a crash, even of the machine, it is either whole or absent. Its best epoch must have
// been saved before.
func (c *checkpoints) save(state checkpoint) error {
	if err := durable.Write(c.path(c.next), state.write); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	c.best[c.next] = state.Best.Epoch
	c.next = 1 - c.next
	return c.prune()
}

// saveBest keeps the parameters, without optimiser state, of the epoch that state ends with.
func (c *checkpoints) saveBest(state checkpoint) error {
	best := checkpoint{Key: state.Key, Seed: state.Seed, Epoch: state.Epoch, Step: state.Step}
	for _, p := range state.Parameters {
		p.Momentum, p.Second = nil, nil
		best.Parameters = append(best.Parameters, p)
	}
	if err := durable.Write(c.bestPath(best.Epoch), best.write); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// remove removes all of the arm's.
func (c *checkpoints) remove() error {
	for slot := range 2 {
		for _, path := range []string{c.path(slot), c.bestPath(c.best[slot])} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("checkpoint: %w", err)
			}
		}
	}
	return nil
}

// discard removes the checkpoint that was written last.
func (c *checkpoints) discard() error {
	c.next = 1 - c.next
	c.best[c.next] = 0
	if err := os.Remove(c.path(c.next)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// prune removes best epochs that neither checkpoint names.
func (c *checkpoints) prune() error {
	files, err := filepath.Glob(filepath.Join(c.dir, string(c.arm)+"-best-*.checkpoint"))
	for _, file := range files {
		if file != c.bestPath(c.best[0]) && file != c.bestPath(c.best[1]) {
			err = errors.Join(err, os.Remove(file))
		}
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// load returns the latest whole checkpoint of the run with this key, and false if there is none. Broken files, those of another
// run, and those whose best epoch is missing are ignored.
func (c *checkpoints) load(key string) (checkpoint, bool, error) {
	var latest checkpoint
	found := false
	_ = durable.Sweep(c.dir, "*.checkpoint") // no other process uses the folder, and what is left there does no harm
	for slot := range 2 {
		state, err := readCheckpointFile(c.path(slot))
		if errors.Is(err, ErrCheckpoint) || errors.Is(err, fs.ErrNotExist) || err == nil && state.Key != key {
			continue
		}
		if err != nil {
			return checkpoint{}, false, fmt.Errorf("checkpoint: %w", err)
		}
		if state.Best.Epoch != 0 {
			if _, whole, err := c.loadBest(key, state.Best.Epoch); err != nil || !whole {
				continue
			}
		}
		c.best[slot] = state.Best.Epoch
		if !found || state.Step > latest.Step {
			latest, found = state, true
			c.next = 1 - slot
		}
	}
	return latest, found, nil
}

// loadBest returns the parameters of an epoch, and false if they are not there in one piece.
func (c *checkpoints) loadBest(key string, epoch int) ([]engine.Parameter, bool, error) {
	best, err := readCheckpointFile(c.bestPath(epoch))
	switch {
	case errors.Is(err, ErrCheckpoint), errors.Is(err, fs.ErrNotExist), err == nil && (best.Key != key || best.Epoch != epoch):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("checkpoint: %w", err)
	}
	return best.Parameters, true, nil
}

func readCheckpointFile(path string) (checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return checkpoint{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return checkpoint{}, err
	}
	if !info.Mode().IsRegular() {
		return checkpoint{}, fmt.Errorf("%w: %s is no file", ErrCheckpoint, path)
	}
	return readCheckpoint(f, info.Size())
}
