package web

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

type manyVerdicts = func(ctx context.Context, actor annotator.User, slug string, edits []int64) (annotator.ManyVerdicts, error)

// acceptMany approves the selected maps, and says which were left.
func (s *Server) acceptMany(v *visit) error {
	return s.many(v, s.service.ApproveMany, func(done annotator.ManyVerdicts) {
		if len(done.Left) > 0 {
			v.warn("Accepted {maps}; {left}.", "maps", words.N(v.Context(), len(done.Done), "{n} map", "{n} maps"), "left", leftWords(v.Context(), done.Left))
		}
	}, "accepted")
}

// undoMany takes back verdicts that were given together, and says which stay.
func (s *Server) undoMany(v *visit) error {
	return s.many(v, s.service.RetractMany, func(done annotator.ManyVerdicts) {
		verdicts := words.N(v.Context(), len(done.Done), "{n} verdict", "{n} verdicts")
		if len(done.Left) > 0 {
			v.warn("Took {verdicts} back; {left}.", "verdicts", verdicts, "left", leftWords(v.Context(), done.Left))
		} else {
			v.say("Took {verdicts} back: the maps wait for review again.", "verdicts", verdicts)
		}
	}, "")
}

// many does one thing with the edits of a form, and shows the list again, with those it was done with under a key.
func (s *Server) many(v *visit, do manyVerdicts, say func(annotator.ManyVerdicts), key string) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	order := templates.ParseReviewOrder(form)
	back := v.review(order, 0, 0)
	edits := numbers(form["edit"])
	if len(edits) == 0 {
		v.warn("No map was selected.")
		return v.redirect(back)
	}
	done, err := do(v.Context(), v.actor, v.project.Slug, edits)
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
		return v.redirect(back)
	}
	say(done)
	if key == "" || len(done.Done) == 0 {
		return v.redirect(back)
	}
	ids := make([]string, len(done.Done))
	for i, edit := range done.Done {
		ids[i] = strconv.FormatInt(edit, 10)
	}
	return v.redirect(withQuery(back, key, strings.Join(ids, ".")))
}

// accepted are the edits of ?accepted=, which the visitor has accepted together.
func accepted(q url.Values) []int64 {
	if q.Get("accepted") == "" {
		return nil
	}
	all := numbers(strings.Split(q.Get("accepted"), "."))
	return all[:min(len(all), annotator.MaxVerdicts)]
}

// numbers reads ids of a form, without those that are none.
func numbers(fields []string) (all []int64) {
	for _, word := range fields {
		if n := number(word); n > 0 {
			all = append(all, n)
		}
	}
	return all
}

// namedLeft is how many maps that were left a notice names.
const namedLeft = 3

// leftWords name what was left: "left #4 (you drew a map of task 4 …) and 2 more".
func leftWords(ctx context.Context, left []annotator.LeftVerdict) string {
	var each []string
	for _, l := range left[:min(len(left), namedLeft)] {
		name := fmt.Sprintf("#%d", l.TaskID)
		if l.TaskID == 0 {
			name = words.T(ctx, "edit {id}", "id", strconv.FormatInt(l.EditID, 10))
		}
		each = append(each, words.T(ctx, "{name} ({why})", "name", name, "why", words.Say(ctx, l.Why)))
	}
	list := strings.Join(each, ", ")
	if more := len(left) - namedLeft; more > 0 {
		return words.N(ctx, more, "left {list} and {n} more", "left {list} and {n} more", "list", list)
	}
	return words.T(ctx, "left {list}", "list", list)
}
