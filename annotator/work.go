package annotator

import (
	"context"
	"time"
)

// WorkStore adds up what people have done in a project.
type WorkStore interface {
	// Work is of all people who submitted a map in a project, most images first; of one of them if user is not nil. Agreement is not in
	// it. Checks are those whose maps were saved before checkedBefore.
	Work(ctx context.Context, projectID int64, user *int64, checkedBefore time.Time) ([]PersonWork, error)
}

// PersonWork is what one person has done in a project, and how well as far as that is known.
type PersonWork struct {
	UserID  int64    `json:"user_id"`
	Name    string   `json:"name"`
	Images  int      `json:"images"`                    // of which they submitted a map
	Minutes *float64 `json:"minutes_per_map,omitempty"` // the mean, that the editor counted; absent where it counted none
	Judged  int      `json:"judged"`                    // verdicts on their maps that stand
	Rate    *float64 `json:"approval_rate,omitempty"`   // approved ÷ judged; absent before the first verdict
	Checks  *Checks  `json:"checks,omitempty"`          // absent before the first
	// Agreement is with the others who painted the same images, by measure.
	Agreement map[string]Level `json:"agreement,omitempty"`
}

// Checks are the means of a person's maps of checks, each image's first.
type Checks struct {
	Images   int     `json:"images"`
	Inside   float64 `json:"inside"`   // of CheckScore.Inside
	Area     float64 `json:"area"`     // of CheckScore.Area: what even maps would have inside
	Pointed  int     `json:"pointed"`  // maps that have a largest value
	Pointing int     `json:"pointing"` // of these, how many have it on the object
}

// Work returns what people have done in a project: a reviewer sees everybody who submitted a map, others themselves. Their own checks
// are those of earlier days (UTC), since a figure that moved with each check would tell which tasks are checks.
func (s *Service) Work(ctx context.Context, actor User, slug string) ([]PersonWork, error) {
	actor, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	var of *int64
	now := s.now()
	before := now.Add(time.Hour) // all of them
	if !actor.Role.May(RoleReviewer) {
		of, before = &actor.ID, now.UTC().Truncate(24*time.Hour)
	}
	people, err := s.store.Work(ctx, project.ID, of, before)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	_, _, agreement, err := s.agreement(ctx, project)
	if err != nil {
		return nil, err
	}
	for i := range people {
		for _, a := range agreement {
			if level, known := a.ByPainter[people[i].UserID]; known {
				if people[i].Agreement == nil {
					people[i].Agreement = map[string]Level{}
				}
				people[i].Agreement[a.Measure] = level
			}
		}
	}
	return people, nil
}
