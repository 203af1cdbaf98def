package templates

import (
	"context"
	"slices"

	"github.com/abn-studio/studio/annotator"
)

// Activity is the view model of a project's jobs and trail.
type Activity struct {
	Jobs    []annotator.Job
	Entries []annotator.AuditEntry
	Older   int64              // id to continue the trail from, 0 at its end
	Workers []annotator.Worker // shown to admins
}

// reportKind is one way in which images of an import differed.
type reportKind struct {
	words   string
	n       int
	painted annotator.Painted
	listed  []annotator.ImageDifference
}

// reportKinds are the ways in which an import's images differed, those that there were, without some that are told elsewhere.
func reportKinds(ctx context.Context, r annotator.ImportReport, without ...annotator.Difference) (kinds []reportKind) {
	for _, d := range annotator.Differences {
		n := r.Changes[d.Kind]
		if n == 0 || slices.Contains(without, d.Kind) {
			continue
		}
		k := reportKind{words: sentence(ctx, d.Words), n: n, painted: r.Painted[d.Kind]}
		for _, of := range r.Differences {
			if of.Kind == d.Kind && len(k.listed) < 5 {
				k.listed = append(k.listed, of)
			}
		}
		kinds = append(kinds, k)
	}
	return kinds
}

// actionWords are the trail's actions in words for people.
var actionWords = map[string]string{
	"task.lease": "took", "task.skip": "skipped", "task.release": "gave back", "task.reopen": "reopened", "task.assign": "assigned", "task.unassign": "unassigned", "task.reassign": "took back the assignment of", "task.ask": "asked for a map of",
	"edit.submit": "submitted", "edit.generate": "made edits for", "edit.approve": "approved", "edit.reject": "rejected", "edit.recall": "took back", "edit.retract": "took back the verdict on",
	"round.start": "started", "round.cancel": "cancelled", "round.finish": "finished", "round.fail": "failed at",
	"version.add": "added", "version.activate": "activated", "version.scan": "scans with",
	"model.upload": "sent", "model.add": "asked to add", "model.refuse": "could not add", "token.create": "made a token for", "token.revoke": "revoked a token of",
	"project.create": "made", "project.change": "changed", "class.rename": "renamed", "project.unpack": "unpacked", "project.close": "closed", "project.reopen": "opened again", "project.delete": "deleted", "project.restore": "restored", "project.purge": "removed the files of", "project.start": "changed how maps begin in", "image.import": "imported", "label.propose": "says that a label is wrong, of", "label.vouch": "says that the label is right, of", "label.confirm": "confirmed what was said of the label of",
	"label.reject": "rejected what was said of the label of", "label.withdraw": "took back what they said of the label of", "image.exclude": "left out of measures in", "image.include": "measures again on images of",
	"image.change": "changed", "image.delete": "deleted", "image.restore": "restored", "image.purge": "purged", "user.create": "added", "user.change": "changed",
}

// actionWord returns an action in words for people.
func actionWord(action string) string {
	if w, ok := actionWords[action]; ok {
		return w
	}
	return action
}
