package jobs

import (
	"context"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/archive"
	"github.com/abn-studio/studio/internal/logs"
)

// RunArchive implements annotator.Staging.
func (s *Staging) RunArchive(ctx context.Context, id string, do func(context.Context, annotator.ArchiveSource) (string, error)) (annotator.StagedImport, error) {
	one, err := s.get(id)
	if err != nil {
		return annotator.StagedImport{}, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.gone || !one.state.State.May() {
		return one.state, annotator.Conflict("this archive is %s", one.state.State)
	}
	one.state.State, one.state.Problem, one.state.Share, one.state.Remaining = annotator.StagedImporting, "", 0, 0
	if err := one.save(); err != nil {
		return one.state, err
	}
	ctx = logs.Carry(s.base, ctx)
	s.running.Go(func() {
		slug, err := s.readArchive(ctx, one, do)
		one.mu.Lock()
		defer one.mu.Unlock()
		if err != nil {
			one.state.State, one.state.Problem, one.state.Share = annotator.StagedReceived, err.Error(), 0
		} else {
			one.state.State, one.state.Made, one.state.Share = annotator.StagedImported, slug, 1
			if err := os.RemoveAll(filepath.Join(one.dir, "files")); err != nil {
				s.log.WarnContext(ctx, "an archive that was read stays in its folder", "import", id, "err", err)
			}
		}
		if err := one.save(); err != nil {
			s.log.WarnContext(ctx, "the state of an archive is not kept", "import", id, "err", err)
		}
	})
	return one.state, nil
}

// readArchive opens the archive that was sent and hands it to do.
func (s *Staging) readArchive(ctx context.Context, one *staged, do func(context.Context, annotator.ArchiveSource) (string, error)) (string, error) {
	file, err := os.Open(filepath.Join(one.dir, "files", filepath.FromSlash(one.files[0].Path)))
	if err != nil {
		return "", err
	}
	defer file.Close()
	opened, err := archive.Open(one.state.Name, file, one.state.Bytes)
	if err != nil {
		return "", err
	}
	slug, err := do(ctx, opened.With("", func(share float64) {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.state.Share = 0.9 * share // the rows come after the files
	}))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return slug, err
}
