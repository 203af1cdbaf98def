package annotator

import (
	"context"
	"fmt"
	"time"
)

// DayProgress is what one person did in a project on one day.
type DayProgress struct {
	UserID   int64   `json:"user_id"`
	Name     string  `json:"name"`
	Painted  int     `json:"painted"`  // tasks of which they submitted a map
	Minutes  float64 `json:"minutes"`  // that the editor counted while they painted; a pause does not count
	Returned int     `json:"returned"` // maps of theirs, whenever they were painted, that a reviewer sent back
	Approved int     `json:"approved"` // and approved
}

// Day is from midnight to midnight somewhere.
type Day struct{ From, To time.Time }

// DayOf is the day of a moment where it has a location.
func DayOf(at time.Time) Day {
	year, month, day := at.Date()
	return Day{time.Date(year, month, day, 0, 0, 0, 0, at.Location()), time.Date(year, month, day+1, 0, 0, 0, 0, at.Location())}
}

// DayStore adds up what people did.
type DayStore interface {
	// DayProgress is of all people who did something in a project in a span of time, most painted first; of one of them if user is not nil.
	DayProgress(ctx context.Context, projectID int64, d Day, user *int64) ([]DayProgress, error)
}

// DayProgress returns what people did in a project on a day: an admin sees everybody who did anything, others themselves. date is
// "2026-11-30", "" for today; zone is the name of a place's time such as Europe/Zurich, "" for UTC.
func (s *Service) DayProgress(ctx context.Context, actor User, slug, date, zone string) ([]DayProgress, error) {
	actor, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, &ValidationError{Field: "zone", Message: fmt.Sprintf("%q is no time zone: write one such as Europe/Zurich", zone)}
	}
	at := s.now().In(place)
	if date != "" {
		if at, err = time.ParseInLocation(time.DateOnly, date, place); err != nil || at.Year() < 1 {
			return nil, &ValidationError{Field: "day", Message: "is a date such as 2026-11-30"}
		}
	}
	var of *int64
	if !actor.Role.May(RoleLead) {
		of = &actor.ID
	}
	return s.store.DayProgress(ctx, project.ID, DayOf(at), of)
}
