package templates

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
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
	"task.lease": words.Key("took"), "task.skip": words.Key("skipped"), "task.release": words.Key("gave back"), "task.reopen": words.Key("reopened"), "task.assign": words.Key("assigned"), "task.unassign": words.Key("unassigned"), "task.reassign": words.Key("took back the assignment of"), "task.ask": words.Key("asked for a map of"),
	"edit.submit": words.Key("submitted"), "edit.generate": words.Key("made edits for"), "edit.approve": words.Key("approved"), "edit.reject": words.Key("rejected"), "edit.recall": words.Key("took back"), "edit.adopt": words.Key("adopted"), "edit.retract": words.Key("took back the verdict on"),
	"round.start": words.Key("started"), "round.cancel": words.Key("cancelled"), "round.finish": words.Key("finished"), "round.fail": words.Key("failed at"),
	"version.add": words.Key("added"), "version.activate": words.Key("activated"), "version.scan": words.Key("scans with"),
	"model.upload": words.Key("sent"), "model.add": words.Key("asked to add"), "model.refuse": words.Key("could not add"), "token.create": words.Key("made a token for"), "token.revoke": words.Key("revoked a token of"),
	"session.start": words.Key("signed in"), "session.fail": words.Key("could not sign in:"), "session.end": words.Key("ended sign-ins of"), "password.fail": words.Key("typed a wrong password as"), "user.remove": words.Key("removed"), "invitation.create": words.Key("made"), "invitation.accept": words.Key("accepted"), "invitation.revoke": words.Key("revoked"), "setup.link": words.Key("made the link for"),
	"identity.link": words.Key("connected with the institution"), "identity.unlink": words.Key("disconnected from the institution"),
	"factor.begin": words.Key("began to set up the code at sign-in of"), "factor.on": words.Key("turned the code at sign-in on for"), "factor.off": words.Key("turned the code at sign-in off for"), "factor.codes": words.Key("made new recovery codes for"), "factor.recover": words.Key("used a recovery code of"),
	"passkey.add": words.Key("added a passkey of"), "passkey.rename": words.Key("renamed a passkey of"), "passkey.remove": words.Key("removed a passkey of"),
	"export.records": words.Key("exported from"), "export.archive": words.Key("archived"), "export.person": words.Key("downloaded the data of"), "export.trail": words.Key("downloaded"), "webhook.create": words.Key("made"), "webhook.remove": words.Key("removed"), "webhook.on": words.Key("switched on"), "webhook.off": words.Key("switched off"), "webhook.test": words.Key("tried"), "webhook.again": words.Key("sent a line again by"), "segmenter.set": words.Key("installed"), "segmenter.remove": words.Key("removed"), "forecast.start": words.Key("asked for a forecast of"), "edit.correct": words.Key("corrected"), "edit.import": words.Key("brought maps for"),
	"project.quota": words.Key("changed the quota of"), "project.create": words.Key("made"), "project.change": words.Key("changed"), "class.rename": words.Key("renamed"), "project.unpack": words.Key("unpacked"), "project.close": words.Key("closed"), "project.reopen": words.Key("opened again"), "project.delete": words.Key("deleted"), "project.restore": words.Key("restored"), "project.purge": words.Key("removed the files of"), "project.start": words.Key("changed how maps begin in"), "image.import": words.Key("imported"), "label.propose": words.Key("says that a label is wrong, of"), "label.vouch": words.Key("says that the label is right, of"), "label.confirm": words.Key("confirmed what was said of the label of"),
	"label.reject": words.Key("rejected what was said of the label of"), "label.withdraw": words.Key("took back what they said of the label of"), "image.exclude": words.Key("left out of measures in"), "image.include": words.Key("measures again on images of"),
	"image.change": words.Key("changed"), "image.delete": words.Key("deleted"), "image.restore": words.Key("restored"), "image.purge": words.Key("purged"), "user.create": words.Key("added"), "member.add": words.Key("added as a member"), "member.change": words.Key("changed the role of"), "member.remove": words.Key("took out"), "user.change": words.Key("changed"),
}

// actionWord returns an action in words for people.
func actionWord(ctx context.Context, action string) string {
	if w, ok := actionWords[action]; ok {
		return words.Say(ctx, w)
	}
	return action
}

// actorWord is who did it. The command line is nobody's name.
func actorWord(ctx context.Context, actor string) string {
	if actor == annotator.System.Name {
		return words.T(ctx, "command line")
	}
	return actor
}

// detailWords is the detail of a line of the trail. Between its own words the studio leaves as they are those that people wrote.
func detailWords(ctx context.Context, action, detail string) string {
	switch action {
	case "edit.approve", "edit.reject":
		return verdictWords(ctx, detail)
	case "edit.correct":
		if which, told, found := strings.Cut(detail, ": "); found {
			return words.Say(ctx, which) + ": " + verdictWords(ctx, told)
		}
	case "export.records":
		if kind, format, found := strings.Cut(detail, " as "); found {
			return words.T(ctx, "{records} as {format}", "records", words.Say(ctx, kind), "format", format)
		}
	case "invitation.create", "invitation.accept":
		parts := strings.Split(detail, ", ")
		for i, part := range parts {
			parts[i] = words.Say(ctx, part)
		}
		return strings.Join(parts, ", ")
	}
	return words.Say(ctx, detail)
}

// verdictWords is what a reviewer said: reasons of the studio's, their own words, and the places of their pins.
func verdictWords(ctx context.Context, told string) string {
	reasons, rest := annotator.SaidReasons(told)
	if len(reasons) == 0 {
		rest = words.Say(ctx, rest) // a sentence of the studio's
	}
	return reasonWords(ctx, reasons) + annotator.SaidPins(rest, func(row, column string) string {
		return words.T(ctx, "row {row}, column {column}", "row", row, "column", column)
	})
}

// subjectWord is what an entry is about; a person by their name.
func subjectWord(ctx context.Context, e annotator.AuditEntry) string {
	return cmp.Or(e.SubjectName, words.Say(ctx, e.Subject))
}
