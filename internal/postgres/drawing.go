package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
)

// key is what an order goes by: an expression over the columns that tasks t and the reserve r both have, and its index with it, which the
// order of the ids follows. Least is first; a falling one has a minus.
type key struct {
	column  string
	falling bool
}

// keys are those of orders. What has no place in an order is not in it.
var keys = map[orders.Order]key{
	orders.ConfidentlyWrong: {"confidence", true},
	orders.Uncertain:        {"confidence", false},
	orders.Confusion:        {"confusion_place", false},
	orders.Diverse:          {"diverse_place", false},
	orders.WrongReason:      {"reason_place", false},
	orders.Random:           {"chance", false},
}

// offered is the condition of tasks t that anybody may be given anew; indexes have it.
const offered = `t.state = 'open' AND t.assigned_to IS NULL`

// drawn is the first that an order gives, of the tasks or of the reserve.
type drawn struct {
	ID  int64 // of a task or of an image
	Key float64
}

func scanDrawn(row pgx.CollectableRow) (d drawn, err error) {
	err = row.Scan(&d.ID, &d.Key)
	return d, err
}

// DrawTask implements annotator.TaskStore: the first of the tasks and the first of the reserve, each by one index, and the earlier of them.
func (s *Store) DrawTask(ctx context.Context, projectID int64, order orders.Order, f annotator.TaskFilter) (annotator.Task, error) {
	k, known := keys[order]
	if !known {
		return annotator.Task{}, fmt.Errorf("drawing by %q: no such order", order)
	}
	var task annotator.Task
	err := s.inTx(ctx, func(tx *Store) error {
		open, err := tx.firstTask(ctx, projectID, order, k, f)
		isOpen := err == nil
		if err != nil && !errors.Is(err, annotator.ErrNotFound) {
			return err
		}
		reserved, version, err := tx.firstReserved(ctx, projectID, order, k, f)
		isReserved := err == nil
		if err != nil && !errors.Is(err, annotator.ErrNotFound) {
			return err
		}
		switch sign := map[bool]int{false: 1, true: -1}[k.falling]; {
		case !isOpen && !isReserved:
			return annotator.ErrNoTask
		case !isOpen, isReserved && sign*cmp.Compare(reserved.Key, open.Key) < 0:
			if open.ID, err = tx.CreateTask(ctx, version, reserved.ID); err != nil {
				return err
			}
		}
		task, err = tx.Task(ctx, open.ID)
		return err
	})
	if errors.Is(err, annotator.ErrNoTask) {
		return task, annotator.ErrNoTask
	}
	return task, wrap(err, "drawing a task of project %d by %s", projectID, order)
}

// firstTask locks the open task that an order gives first.
func (s *Store) firstTask(ctx context.Context, projectID int64, order orders.Order, k key, f annotator.TaskFilter) (drawn, error) {
	where := conditions(projectID, without(f, "state"))
	where.parts = append(where.parts, offered, fmt.Sprintf(`t.%s IS NOT NULL`, k.column))
	where.add(`t.id <> $%d`, f.Except)
	switch {
	case !order.Takes(true):
		where.parts = append(where.parts, `t.label <> t.predicted`)
	case !order.Takes(false):
		where.parts = append(where.parts, `t.label = t.predicted`)
	}
	return one(ctx, s, scanDrawn, fmt.Sprintf(`SELECT t.id, t.%s FROM tasks t WHERE %s ORDER BY %s LIMIT 1 FOR UPDATE OF t SKIP LOCKED`,
		k.column, where.sql(), k.ordering("t", "id")), where.args...)
}

// ordering is that of the index of the key's column. Confidence has one, which falls; read backward it rises, and the ids fall.
func (k key) ordering(alias, id string) string {
	way, ids := "", ""
	switch {
	case k.falling:
		way = " DESC"
	case k.column == "confidence" && alias == "t":
		ids = " DESC"
	}
	return fmt.Sprintf("%[1]s.%[2]s%[3]s, %[1]s.%[4]s%[5]s", alias, k.column, way, id, ids)
}

// firstReserved locks the image of the reserve that an order gives first, and returns its version. What has changed since an image came
// into the reserve is looked at here: its label, its split, that it is in use, that it has a task.
func (s *Store) firstReserved(ctx context.Context, projectID int64, order orders.Order, k key, f annotator.TaskFilter) (d drawn, version int64, err error) {
	if !order.Takes(true) || f.Author != nil || f.Assignee != nil && *f.Assignee != 0 || f.Predicted != nil && f.Label != nil && *f.Predicted != *f.Label {
		return d, 0, annotator.ErrNotFound
	}
	where := &clause{}
	where.add(`r.project_id = $%d`, projectID)
	where.parts = append(where.parts, fmt.Sprintf(`r.%s IS NOT NULL`, k.column), `p.correct`, makesTasks, `NOT `+questioned, `NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)`)
	for _, class := range []*int{f.Label, f.Predicted} {
		if class != nil {
			where.add(`r.label = $%d`, *class)
		}
	}
	if f.MinConfidence != nil {
		where.add(`r.confidence >= $%d`, *f.MinConfidence)
	}
	if f.MaxConfidence != nil {
		where.add(`r.confidence <= $%d`, *f.MaxConfidence)
	}
	if f.Masked {
		where.parts = append(where.parts, `i.mask_hash <> ''`)
	}
	if f.Search != "" {
		where.add(`i.name ILIKE ANY ($%d)`, namesLike(f.Search))
	}
	d, err = one(ctx, s, func(row pgx.CollectableRow) (d drawn, err error) {
		err = row.Scan(&d.ID, &d.Key, &version)
		return d, err
	}, fmt.Sprintf(`
		SELECT r.image_id, r.%s, r.version_id FROM reserve r
			JOIN images i ON i.id = r.image_id JOIN predictions p ON p.version_id = r.version_id AND p.image_id = r.image_id
		WHERE %s ORDER BY %s LIMIT 1 FOR UPDATE OF r SKIP LOCKED`, k.column, where.sql(), k.ordering("r", "image_id")), where.args...)
	return d, version, err
}

// NextAssigned implements annotator.TaskStore.
func (s *Store) NextAssigned(ctx context.Context, projectID, userID int64, f annotator.TaskFilter) (annotator.Task, error) {
	where := conditions(projectID, without(f, "state"))
	where.add(`t.assigned_to = $%d`, userID)
	where.add(`t.id <> $%d`, f.Except)
	t, err := one(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.state = 'open' AND `+where.sql()+
		` ORDER BY t.confidence DESC, t.id LIMIT 1 FOR UPDATE OF t SKIP LOCKED`, where.args...)
	if errors.Is(err, annotator.ErrNotFound) {
		return t, annotator.ErrNoTask
	}
	return t, wrap(err, "the next task of user %d in project %d", userID, projectID)
}

// LockTally implements annotator.TaskStore.
func (s *Store) LockTally(ctx context.Context, projectID int64) (orders.Tally, error) {
	if _, err := s.q.Exec(ctx, `INSERT INTO queues (project_id) VALUES ($1) ON CONFLICT DO NOTHING`, projectID); err != nil {
		return nil, wrap(err, "the queue of project %d", projectID)
	}
	body, err := one(ctx, s, pgx.RowTo[[]byte], `SELECT drawn FROM queues WHERE project_id = $1 FOR UPDATE`, projectID)
	tally := orders.Tally{}
	if err == nil {
		err = json.Unmarshal(body, &tally)
	}
	return tally, wrap(err, "the queue of project %d", projectID)
}

// SetTally implements annotator.TaskStore.
func (s *Store) SetTally(ctx context.Context, projectID int64, t orders.Tally) error {
	body, err := json.Marshal(t)
	if err == nil {
		_, err = s.q.Exec(ctx, `UPDATE queues SET drawn = $2::jsonb WHERE project_id = $1`, projectID, body)
	}
	return wrap(err, "the queue of project %d", projectID)
}

// MixQueue implements annotator.TaskStore.
func (s *Store) MixQueue(ctx context.Context, projectID int64) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `
			INSERT INTO queues (project_id) VALUES ($1) ON CONFLICT (project_id) DO UPDATE SET drawn = '{}'`, projectID); err != nil {
			return err
		}
		return tx.rankLater(ctx, projectID)
	})
	return wrap(err, "mixing the queue of project %d", projectID)
}

// RankOpts are River's for RankArgs: one at a time, since it takes whatever is due.
func RankOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: HeavyWork, MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}

// rankLater has a worker work out the places of a project's images in the orders. One that is at it looks again when it has finished.
func (s *Store) rankLater(ctx context.Context, projectID int64) error {
	if _, err := s.q.Exec(ctx, `
		INSERT INTO queues (project_id, due_at) VALUES ($1, clock_timestamp()) ON CONFLICT (project_id) DO UPDATE SET due_at = clock_timestamp()`, projectID); err != nil {
		return err
	}
	_, err := s.river.InsertTx(ctx, s.tx, RankArgs{}, RankOpts())
	return err
}

// makesTasks is the condition of an image i that tasks are made of, besides what a version says of it.
var makesTasks = `i.label IS NOT NULL AND i.split IN ('train', 'pool') AND i.broken = '' AND i.retired_at IS NULL AND ` + teaches

// fillReserve brings the reserve of a project to what a version gets right, of some images (nil: all). It goes after createTasks.
func (s *Store) fillReserve(ctx context.Context, v annotator.Version, images []int64) error {
	of := ""
	if images != nil {
		of = ` AND image_id = ANY($3)`
	}
	args := argsOf(v, images)
	if _, err := s.q.Exec(ctx, `DELETE FROM reserve WHERE project_id = $1 AND version_id <> $2`+of, args...); err != nil {
		return err
	}
	_, err := s.q.Exec(ctx, `
		INSERT INTO reserve (version_id, image_id, project_id, label, confidence)
		SELECT p.version_id, i.id, i.project_id, i.label, p.confidence
		FROM `+predictedOf(images)+` AND p.correct AND `+makesTasks+`
			AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)
		ON CONFLICT (image_id) DO UPDATE SET label = excluded.label WHERE reserve.label <> excluded.label`, args...)
	return err
}

// fillReserveInSteps is fillReserve of all images, TaskStep at a time: of tables that the same transaction has filled the planner knows nothing, and would read them
// again for each image (tasksOf).
func (s *Store) fillReserveInSteps(ctx context.Context, v annotator.Version) error {
	for last := int64(0); ; {
		ids, err := s.imagesAfter(ctx, v.ProjectID, last)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.fillReserve(ctx, v, ids); err != nil {
			return err
		}
		last = ids[len(ids)-1]
	}
}

// imagesAfter returns the next TaskStep images of a project, by id.
func (s *Store) imagesAfter(ctx context.Context, projectID, last int64) ([]int64, error) {
	return list(ctx, s, pgx.RowTo[int64], `
		SELECT i.id FROM unnest($4::text[]) one, LATERAL (
			SELECT id FROM images WHERE project_id = $1 AND split = one AND id > $2 ORDER BY id LIMIT $3
		) i ORDER BY i.id LIMIT $3`, projectID, last, annotator.TaskStep, texts(annotator.Splits))
}

// UnassignGone implements annotator.TaskStore.
func (s *Store) UnassignGone(ctx context.Context, projectID int64) error {
	_, err := s.exec(ctx, `UPDATE tasks SET assigned_to = NULL, assigned_at = NULL WHERE project_id = $1 AND (assigned_to IN (SELECT id FROM users WHERE disabled)
		OR NOT EXISTS (SELECT FROM memberships m WHERE m.project_id = tasks.project_id AND m.user_id = tasks.assigned_to))`, projectID)
	return wrap(err, "ending what is assigned in project %d to people who cannot paint", projectID)
}

// UnassignAll implements annotator.TaskStore.
func (s *Store) UnassignAll(ctx context.Context, userID int64) error {
	_, err := s.exec(ctx, `UPDATE tasks SET assigned_to = NULL, assigned_at = NULL WHERE assigned_to = $1 AND `+inOpenProject, userID)
	return wrap(err, "ending what is assigned to user %d", userID)
}
