package templates

import "github.com/abn-studio/studio/annotator"

// Archive is the view model of an archive of a project that was sent.
type Archive struct {
	annotator.StagedImport
	Slug, ProjectName string // as typed
	Refused           string // why the form was
}

// archiveWord is what an archive is doing, for people.
func archiveWord(s annotator.StagedState) string {
	switch s {
	case annotator.StagedReceiving:
		return "not all here"
	case annotator.StagedImporting:
		return "being read"
	case annotator.StagedImported:
		return "a project"
	}
	return "ready"
}
