package templates

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Archive is the view model of an archive of a project that was sent.
type Archive struct {
	annotator.StagedImport
	Slug, ProjectName string // as typed
	Refused           string // why the form was
}

// archiveWord is what an archive is doing, for people.
func archiveWord(ctx context.Context, s annotator.StagedState) string {
	switch s {
	case annotator.StagedReceiving:
		return words.T(ctx, "not all here")
	case annotator.StagedImporting:
		return words.T(ctx, "being read")
	case annotator.StagedImported:
		return words.T(ctx, "a project")
	}
	return words.T(ctx, "ready")
}
