package postgres

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// reviewKeys are what the orders of reviews sort by, ascending, before the time of submission: of a task t, its author u and the figures f
// of its latest edit.
var reviewKeys = map[annotator.ReviewOrder]string{
	annotator.ReviewOldest: `t.submitted_at`,
	annotator.ReviewNewest: `-extract(epoch FROM t.submitted_at)`,
	annotator.ReviewAuthor: `lower(u.name)`,
	annotator.ReviewLoss:   `coalesce(f.gain, 'Infinity')`,
	annotator.ReviewGain:   `coalesce(-f.gain, 'Infinity')`,
	annotator.ReviewFar:    `coalesce(-f.disagreement, 'Infinity')`,
	annotator.ReviewNear:   `coalesce(f.disagreement, 'Infinity')`,
}

// judgedTables joins a task's latest edit s and its figures.
const judgedTables = ` LEFT JOIN LATERAL (SELECT x.id FROM edits x WHERE x.task_id = t.id ORDER BY x.revision DESC LIMIT 1) s ON true
	LEFT JOIN edit_figures f ON f.edit_id = s.id`

// reviewPlace is a task's place in an order, as a row to compare and to sort by.
func reviewPlace(order annotator.ReviewOrder) string {
	return reviewKeys[order] + `, t.submitted_at, t.id`
}

// afterReview is the condition of the tasks that follow the task of an argument, wherever that one stands now.
func afterReview(order annotator.ReviewOrder, argument string) string {
	place := reviewPlace(order)
	return `(` + place + `) > (SELECT ` + place + ` FROM tasks t LEFT JOIN users u ON u.id = t.author_id` + judgedTables + ` WHERE t.id = ` + argument + `)`
}

// ReviewCards implements annotator.ReviewOrderStore.
func (s *Store) ReviewCards(ctx context.Context, projectID int64, order annotator.ReviewOrder, after int64, limit int) (annotator.ReviewPage, error) {
	const waits = `t.project_id = $1 AND t.state = 'submitted'`
	var page annotator.ReviewPage
	var err error
	if page.Total, err = one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM tasks t WHERE `+waits, projectID); err != nil {
		return page, wrap(err, "counting the reviews of project %d", projectID)
	}
	where, args := waits, []any{projectID}
	if after > 0 {
		args = append(args, after)
		where += ` AND ` + afterReview(order, "$"+strconv.Itoa(len(args)))
	}
	args = append(args, limit+1)
	page.Reviews, err = list(ctx, s, func(row pgx.CollectableRow) (c annotator.ReviewCard, err error) {
		c.TaskCard, err = scanCardAnd(row, &c.EditID, &c.Gain, &c.Disagreement)
		return c, err
	}, `
		SELECT `+cardColumns+`, s.id, f.gain, f.disagreement FROM `+cardTables+judgedTables+`
		WHERE `+where+` AND s.id IS NOT NULL ORDER BY `+reviewPlace(order)+` LIMIT $`+strconv.Itoa(len(args)), args...)
	if len(page.Reviews) > limit {
		page.Reviews = page.Reviews[:limit]
		page.Next = page.Reviews[limit-1].ID
	}
	return page, wrap(err, "listing the reviews of project %d", projectID)
}

// UnmeasuredEdits implements annotator.ReviewOrderStore.
func (s *Store) UnmeasuredEdits(ctx context.Context, projectID int64, limit int) ([]annotator.EditBeside, error) {
	ids, err := list(ctx, s, pgx.RowTo[int64], `
		SELECT e.id FROM tasks t JOIN edits e ON e.task_id = t.id AND e.state = 'submitted'
		WHERE t.project_id = $1 AND t.state = 'submitted' AND NOT EXISTS (SELECT FROM edit_figures f WHERE f.edit_id = e.id)
		ORDER BY e.id LIMIT $2`, projectID, limit)
	if err != nil || len(ids) == 0 {
		return nil, wrap(err, "looking for edits without figures in project %d", projectID)
	}
	edits, err := list(ctx, s, scanEdit, `SELECT `+editColumns+` FROM `+editTables+` WHERE e.id = ANY ($1) ORDER BY e.id`, ids)
	if err != nil {
		return nil, wrap(err, "reading edits of project %d", projectID)
	}
	type beside struct {
		edit int64
		own  annotator.Prediction
	}
	own, err := list(ctx, s, func(row pgx.CollectableRow) (b beside, err error) {
		var r predictionRow
		if err = row.Scan(append([]any{&b.edit}, r.fields()...)...); err == nil {
			b.own, err = r.prediction()
		}
		return b, err
	}, `
		SELECT e.id, `+predictionColumns+` FROM edits e JOIN tasks t ON t.id = e.task_id JOIN predictions p ON p.version_id = e.version_id AND p.image_id = t.image_id
		WHERE e.id = ANY ($1)`, ids)
	if err != nil {
		return nil, wrap(err, "reading the maps of versions in project %d", projectID)
	}
	owns := make(map[int64]attention.Map, len(own)) // by the edit; an edit whose version says nothing of the image has none
	for _, b := range own {
		owns[b.edit] = b.own.Map
	}
	all := make([]annotator.EditBeside, len(edits))
	for i, e := range edits {
		all[i] = annotator.EditBeside{Edit: e, Own: owns[e.ID]}
	}
	return all, nil
}

// InsertReviewFigures implements annotator.ReviewOrderStore. Rows are inserted in the order of their ids, so that two who work the same figures out at once
// wait for each other, and not each for the other.
func (s *Store) InsertReviewFigures(ctx context.Context, all map[int64]annotator.ReviewFigures) error {
	var ids []int64
	var gains, disagreements []*float32
	for _, id := range slices.Sorted(maps.Keys(all)) {
		f := all[id]
		ids, gains, disagreements = append(ids, id), append(gains, f.Gain), append(disagreements, f.Disagreement)
	}
	_, err := s.exec(ctx, `INSERT INTO edit_figures (edit_id, gain, disagreement) SELECT u.edit, u.gain, u.far FROM unnest($1::bigint[], $2::real[], $3::real[]) u(edit, gain, far) ON CONFLICT DO NOTHING`, ids, gains, disagreements)
	return wrap(err, "keeping the figures of %d edits", len(all))
}
