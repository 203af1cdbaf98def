package annotator

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// Sampling says how much of people's work is reviewed. The whole rule:
//
//   - All maps of an author are reviewed until people have approved Newcomer of them: at first, and again after a map of theirs that was in
//     the sample was sent back.
//   - A map of a task that was sent back is reviewed in any case.
//   - Of what else the author submits, Share per cent is reviewed: a task is drawn where its place (drawPlace) is below the share. The place
//     is a hash of the task under the project's seed, which nobody is shown. It is the same however often the map is changed, taken back and
//     submitted again, so that nobody can try until it is not drawn.
//   - What is not drawn is approved by the rule: the verdict is a program's, says so, and any reviewer may take it back, so that people judge
//     the map after all.
//
// Maps that a reviewer corrected, and those that programs made or that came from elsewhere, are no part of it.
type Sampling struct {
	Share    int `json:"share" doc:"Per cent of an author's maps that people review; 100: all."`
	Newcomer int `json:"newcomer" doc:"How many maps of an author people approve before the share holds for them."`
}

// MaxNewcomer bounds Sampling.Newcomer.
const MaxNewcomer = 1000

// check refuses what is no such setting.
func (s Sampling) check() error {
	switch {
	case s.Share < 0 || s.Share > 100:
		return &ValidationError{Field: "sampling", Message: fmt.Sprintf("reviews %d per cent: between 0 and 100", s.Share)}
	case s.Newcomer < 0 || s.Newcomer > MaxNewcomer:
		return &ValidationError{Field: "sampling", Message: fmt.Sprintf("begins after %s maps: between 0 and %d", text.Count(s.Newcomer), MaxNewcomer)}
	}
	return nil
}

// String says it: "30 % of an author's maps, after 20 approved ones".
func (s Sampling) String() string {
	if s.Share == 100 {
		return "all maps"
	}
	return fmt.Sprintf("%d %% of an author's maps, after %s approved ones", s.Share, text.Count(s.Newcomer))
}

// DrawWhy is why a map is reviewed by people, or that it is not.
type DrawWhy string

// The reasons.
const (
	DrawNewcomer DrawWhy = "newcomer"  // too few of its author's maps were approved
	DrawSentBack DrawWhy = "sent-back" // too few since one of theirs that was in the sample was sent back
	DrawAgain    DrawWhy = "again"     // a map of this very task was sent back
	DrawDrawn    DrawWhy = "drawn"
	DrawPassed   DrawWhy = "passed" // it is not
)

// DrawWhys are all of them.
var DrawWhys = []DrawWhy{DrawNewcomer, DrawSentBack, DrawAgain, DrawDrawn, DrawPassed}

// Draw is what became of a submitted map in a project that reviews a part.
type Draw struct {
	EditID int64
	Share  int     // per cent of its author's maps that were reviewed then
	Place  float32 // of the task, in [0,1)
	Why    DrawWhy
}

// AuthorRecord is what the rule asks of an author's work in a project.
type AuthorRecord struct {
	Approved int  // by people, since their first map or since SentBack
	SentBack bool // a map of theirs that was in the sample
}

// shareOf is the share that holds for an author now, and why it is all: DrawDrawn where it is the project's own.
func (s Sampling) shareOf(a AuthorRecord) (share int, why DrawWhy) {
	switch {
	case s.Share < 100 && a.Approved < s.Newcomer && a.SentBack:
		return 100, DrawSentBack
	case s.Share < 100 && a.Approved < s.Newcomer:
		return 100, DrawNewcomer
	}
	return s.Share, DrawDrawn
}

// draw decides on a submitted map of an author. again: a map of its task was sent back before.
func (s Sampling) draw(a AuthorRecord, again bool, place float32) Draw {
	d := Draw{Place: place}
	switch d.Share, d.Why = s.shareOf(a); {
	case again:
		d.Why = DrawAgain
	case d.Why == DrawDrawn && float64(place) >= float64(d.Share)/100:
		d.Why = DrawPassed
	}
	return d
}

// drawPlace is a task's place in [0,1): HMAC-SHA-256 of its id under the seed, its first 24 bits as a fraction.
func drawPlace(seed string, taskID int64) float32 {
	h := hmac.New(sha256.New, []byte(seed))
	fmt.Fprintf(h, "task %d", taskID)
	return float32(binary.BigEndian.Uint32(h.Sum(nil))>>8) / (1 << 24)
}

// RuleSampling is the rule of verdicts that Sampling gives, and the name of the program that gives them.
const RuleSampling = "sampling"

// SampledAuthor is what the rule holds for an author now.
type SampledAuthor struct {
	UserID   int64   `json:"user_id"`
	Name     string  `json:"name"`
	Share    int     `json:"share" doc:"Per cent of their maps that people review now."`
	Why      DrawWhy `json:"why" doc:"newcomer, sent-back: why it is all; drawn: it is the project's share."`
	Left     int     `json:"left" doc:"How many maps more people approve until the project's share holds."`
	Reviewed int     `json:"reviewed" doc:"Verdicts of people on their maps."`
	Passed   int     `json:"passed" doc:"Their maps that the rule approved."`
}

// SamplingReport is a project's sampling and what it holds for its authors.
type SamplingReport struct {
	Sampling
	Authors []SampledAuthor `json:"authors"`
}

// AuthorWork is AuthorRecord of one of a project's authors, with what was done with their maps.
type AuthorWork struct {
	AuthorRecord
	UserID           int64
	Name             string
	Reviewed, Passed int
}

// SamplingStore keeps what sampling decides by, and what it decided.
type SamplingStore interface {
	// SamplingSeed returns a project's seed.
	SamplingSeed(ctx context.Context, projectID int64) (string, error)
	// AuthorsWork lists a project's authors of submitted maps, by name; only the user, where that is not 0.
	AuthorsWork(ctx context.Context, projectID, userID int64) ([]AuthorWork, error)
	InsertDraw(ctx context.Context, d Draw) error
}

// sample decides whether people review what somebody has just submitted, and approves it if they do not.
func (s *Service) sample(ctx context.Context, tx Store, author User, task Task, edit Edit, now time.Time) error {
	project, err := tx.ProjectByID(ctx, task.ProjectID)
	if err != nil || project.Sampling.Share >= 100 {
		return err
	}
	seed, err := tx.SamplingSeed(ctx, project.ID)
	if err != nil {
		return err
	}
	work, err := tx.AuthorsWork(ctx, project.ID, author.ID)
	if err != nil {
		return err
	}
	var record AuthorRecord
	if len(work) > 0 {
		record = work[0].AuthorRecord
	}
	reviews, err := tx.Reviews(ctx, task.ID)
	if err != nil {
		return err
	}
	again := slices.ContainsFunc(reviews, func(r Review) bool { return r.Verdict == VerdictReject && r.TakenBackAt == nil })
	d := project.Sampling.draw(record, again, drawPlace(seed, task.ID))
	d.EditID = edit.ID
	if err := tx.InsertDraw(ctx, d); err != nil || d.Why != DrawPassed {
		return err
	}
	rule, err := tx.GeneratorUser(ctx, RuleSampling)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("Not drawn: %d %% of the author's maps are reviewed. No person looked at it.", d.Share) // and nobody's name, which people may have removed
	if _, err := tx.JudgeEdit(ctx, Review{EditID: edit.ID, ReviewerID: rule.ID, Verdict: VerdictApprove, Rule: RuleSampling, Comment: words, CreatedAt: now}); err != nil {
		return err
	}
	if task, err = task.Judge(VerdictApprove, now); err != nil {
		return err
	}
	if err := tx.UpdateTask(ctx, task); err != nil {
		return err
	}
	if err := s.audit(ctx, tx, rule, &task.ProjectID, "edit.approve", editSubject(edit.ID), words); err != nil {
		return err
	}
	return ConsiderForecast(ctx, tx, task.ProjectID)
}

// Sampling says how much of each author's work people review now (admin).
func (s *Service) Sampling(ctx context.Context, actor User, slug string) (SamplingReport, error) {
	_, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return SamplingReport{}, err
	}
	work, err := s.store.AuthorsWork(ctx, project.ID, 0)
	if err != nil {
		return SamplingReport{}, err
	}
	report := SamplingReport{Sampling: project.Sampling, Authors: []SampledAuthor{}}
	for _, a := range work {
		author := SampledAuthor{UserID: a.UserID, Name: a.Name, Reviewed: a.Reviewed, Passed: a.Passed}
		if author.Share, author.Why = project.Sampling.shareOf(a.AuthorRecord); author.Why != DrawDrawn {
			author.Left = project.Sampling.Newcomer - a.Approved
		}
		report.Authors = append(report.Authors, author)
	}
	return report, nil
}
