package postgres

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// taskColumns are the columns of tasks under the alias t, left joined with users u by author, judge by reviewer and a by assignment, and
// with the other tasks of the image.
const taskColumns = `t.id, t.project_id, t.image_id, t.version_id, t.state, t.author_id, coalesce(u.name, ''),
	t.reviewer_id, coalesce(judge.name, ''), t.lease_expires_at, coalesce(t.skip_reason, ''), t.returned, t.submitted_at, t.updated_at,
	t.handed_by, t.inside, t.made_right, t.assigned_to, coalesce(a.name, ''), t.assigned_at, ` + amongColumns

const taskTables = `tasks t LEFT JOIN users u ON u.id = t.author_id LEFT JOIN users judge ON judge.id = t.reviewer_id LEFT JOIN users a ON a.id = t.assigned_to ` + amongTables

func taskFields(t *annotator.Task) []any {
	return append([]any{&t.ID, &t.ProjectID, &t.ImageID, &t.VersionID, &t.State, &t.AuthorID, &t.AuthorName,
		&t.ReviewerID, &t.ReviewerName, &t.LeaseExpiresAt, &t.SkipReason, &t.Returned, &t.SubmittedAt, &t.UpdatedAt,
		&t.HandedBy, &t.Inside, &t.MadeRight, &t.AssignedTo, &t.AssigneeName, &t.AssignedAt}, amongFields(t)...)
}

func scanTask(row pgx.CollectableRow) (t annotator.Task, err error) {
	err = row.Scan(taskFields(&t)...)
	return t, err
}

// Task implements annotator.TaskStore.
func (s *Store) Task(ctx context.Context, id int64) (annotator.Task, error) {
	t, err := one(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.id = $1 AND t.`+inProject, id)
	return t, wrap(err, "task %d", id)
}

// LockTask implements annotator.TaskStore. It locks the row in one query and reads it in the next: a query that waits for a lock sees
// the new row, but joins it to other rows as they were before.
func (s *Store) LockTask(ctx context.Context, id int64) (annotator.Task, error) {
	if _, err := one(ctx, s, pgx.RowTo[int64], `SELECT id FROM tasks WHERE id = $1 FOR UPDATE`, id); err != nil {
		return annotator.Task{}, wrap(err, "task %d", id)
	}
	return s.Task(ctx, id)
}

// nextOrder is, for each state, the order in which NextTask looks at tasks; with the state each is one index scan.
var nextOrder = map[annotator.TaskState]string{
	annotator.TaskChangesRequested: `t.updated_at, t.id`,
	annotator.TaskLeased:           `t.updated_at DESC, t.id`,
	annotator.TaskOpen:             `t.confidence DESC, t.id`,
}

// NextTask implements annotator.TaskStore. It skips a task that another transaction has locked.
func (s *Store) NextTask(ctx context.Context, projectID, userID int64, state annotator.TaskState, f annotator.TaskFilter) (annotator.Task, error) {
	where := conditions(projectID, without(f, "state"))
	where.add(`t.state = $%d`, state)
	where.add(`t.id <> $%d`, f.Except)
	if state == annotator.TaskOpen {
		where.parts = append(where.parts, offered)
	} else {
		where.add(`t.author_id = $%d`, userID)
	}
	t, err := one(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE `+where.sql()+
		` ORDER BY `+nextOrder[state]+` LIMIT 1 FOR UPDATE OF t SKIP LOCKED`, where.args...)
	if errors.Is(err, annotator.ErrNotFound) {
		return t, annotator.ErrNoTask
	}
	return t, wrap(err, "the next task of project %d", projectID)
}

// CountLeases implements annotator.TaskStore. It locks the user's row first, so that the second of two requests at once counts the task
// that the first took.
func (s *Store) CountLeases(ctx context.Context, userID int64, now time.Time) (int, error) {
	return s.countLeases(ctx, `author_id = $1 AND state = 'leased'`, userID, now)
}

// CountReviews implements annotator.EditStore.
func (s *Store) CountReviews(ctx context.Context, userID int64, now time.Time) (int, error) {
	return s.countLeases(ctx, `reviewer_id = $1`, userID, now)
}

func (s *Store) countLeases(ctx context.Context, held string, userID int64, now time.Time) (int, error) {
	if _, err := one(ctx, s, pgx.RowTo[int64], `SELECT id FROM users WHERE id = $1 AND removed_at IS NULL FOR NO KEY UPDATE`, userID); err != nil {
		return 0, wrap(err, "user %d", userID)
	}
	n, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM tasks WHERE `+held+` AND lease_expires_at > $2`, userID, now)
	return n, wrap(err, "counting the leases of user %d", userID)
}

// UpdateTask implements annotator.TaskStore.
func (s *Store) UpdateTask(ctx context.Context, t annotator.Task) error {
	var reason *string
	if t.State == annotator.TaskSkipped {
		reason = &t.SkipReason
	}
	n, err := s.exec(ctx, `
		UPDATE tasks SET state = $2, author_id = $3, lease_expires_at = $4, skip_reason = $5, returned = $6, submitted_at = $7, updated_at = $8,
			handed_by = $9, assigned_to = $10, assigned_at = $11, reviewer_id = $12, is_check = $13
		WHERE id = $1`, t.ID, t.State, t.AuthorID, t.LeaseExpiresAt, reason, t.Returned, t.SubmittedAt, t.UpdatedAt, t.HandedBy, t.AssignedTo, t.AssignedAt, t.ReviewerID, t.Check)
	return changed(n, err, "task %d", t.ID)
}

// ExpireLeases implements annotator.TaskStore. It leaves out tasks that another transaction has locked.
func (s *Store) ExpireLeases(ctx context.Context, projectID int64, now time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		tasks, err := list(ctx, tx, scanTask, `
			SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.project_id = $1 AND t.state = 'leased' AND t.lease_expires_at <= $2 AND t.`+inOpenProject+`
			FOR UPDATE OF t SKIP LOCKED`, projectID, now)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			t = t.Expire(now)
			t.UpdatedAt = now
			if err := tx.UpdateTask(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "ending the leases of project %d", projectID)
}

// cardColumns and cardTables select one row for a card: the task, its image, its version's prediction, the latest revision's map,
// who took part in the edit to be judged, and who painted it.
const cardColumns = taskColumns + `, ` + imageColumns + `, ` + predictionColumns + `, e.map_height, e.map_width, e.map, e.marks,
	CASE WHEN t.state = 'submitted' THEN task_drawn_by(t.id) END, CASE WHEN t.state = 'submitted' THEN task_painted_by(t.id) END`

const cardTables = taskTables + `
	JOIN images i ON i.id = t.image_id
	JOIN predictions p ON p.version_id = t.version_id AND p.image_id = t.image_id
	LEFT JOIN LATERAL (SELECT map_height, map_width, map, marks FROM edits WHERE task_id = t.id ORDER BY revision DESC LIMIT 1) e ON true`

func scanCard(row pgx.CollectableRow) (annotator.TaskCard, error) { return scanCardAnd(row) }

// scanCardAnd reads a card, and what the query has after it.
func scanCardAnd(row pgx.CollectableRow, more ...any) (c annotator.TaskCard, err error) {
	var r predictionRow
	var height, width *int
	var cells []byte
	var marks *attention.Marks
	fields := append(taskFields(&c.Task), imageFields(&c.Image)...)
	if err = row.Scan(append(append(append(fields, r.fields()...), &height, &width, &cells, &marks, &c.DrawnBy, &c.PaintedBy), more...)...); err != nil {
		return c, err
	}
	if c.Prediction, err = r.prediction(); err != nil || height == nil {
		return c, err
	}
	m, err := attention.FromBytes(*height, *width, cells)
	m.Marks = *marks
	c.EditMap = &m
	return c, err
}

// TaskCard implements annotator.TaskStore.
func (s *Store) TaskCard(ctx context.Context, id int64) (annotator.TaskCard, error) {
	c, err := one(ctx, s, scanCard, `SELECT `+cardColumns+` FROM `+cardTables+` WHERE t.id = $1 AND t.`+inProject, id)
	return c, wrap(err, "task %d", id)
}

// TaskCards implements annotator.TaskStore.
func (s *Store) TaskCards(ctx context.Context, projectID int64, f annotator.TaskFilter) (annotator.TaskPage, error) {
	var page annotator.TaskPage
	where := conditions(projectID, f)
	var err error
	c := tasksCounted(projectID, f)
	if page.Total, err = one(ctx, s, pgx.RowTo[int], `SELECT `+c.n+` FROM `+c.tables+` WHERE `+c.where.sql(), c.where.args...); err != nil {
		return page, wrap(err, "counting the tasks of project %d", projectID)
	}
	page.Total, page.More = counted(page.Total, f.Search)
	if f.Cursor != "" {
		confidence, id, err := readCursor(f.Cursor)
		if err != nil {
			return page, err
		}
		where.add(`(t.confidence < $%[1]d OR (t.confidence = $%[1]d AND t.id > $%[2]d))`, confidence, id)
	}
	// The tasks of the page are selected first, then joined: as an array, which the planner takes for a few, where of a set it may join all
	// tasks first.
	where.args = append(where.args, f.Limit+1)
	page.Tasks, err = list(ctx, s, scanCard, `
		WITH page AS (
			SELECT id FROM tasks t WHERE `+where.sql()+` ORDER BY confidence DESC, id LIMIT $`+strconv.Itoa(len(where.args))+`
		)
		SELECT `+cardColumns+` FROM `+cardTables+` WHERE t.id = ANY (ARRAY(SELECT id FROM page)) ORDER BY t.confidence DESC, t.id`, where.args...)
	if len(page.Tasks) > f.Limit {
		page.Tasks = page.Tasks[:f.Limit]
		last := page.Tasks[f.Limit-1]
		page.Next = writeCursor(last.Prediction.Confidence, last.ID)
	}
	return page, wrap(err, "listing the tasks of project %d", projectID)
}

// RecentCards implements annotator.TaskStore.
func (s *Store) RecentCards(ctx context.Context, projectID, userID int64, limit int) ([]annotator.TaskCard, error) {
	all, err := list(ctx, s, scanCard, `
		WITH recent AS (
			SELECT id FROM tasks WHERE project_id = $1 AND author_id = $2 AND submitted_at IS NOT NULL ORDER BY submitted_at DESC, id DESC LIMIT $3
		)
		SELECT `+cardColumns+` FROM `+cardTables+` WHERE t.id = ANY (ARRAY(SELECT id FROM recent)) ORDER BY t.submitted_at DESC, t.id DESC`, projectID, userID, limit)
	return all, wrap(err, "what user %d submitted last in project %d", userID, projectID)
}

// clause collects the conditions of a query on tasks t, with their arguments.
type clause struct {
	parts []string
	args  []any
}

// add appends a condition, in which each formatting verb stands for the number of an argument ($1, $2, …).
func (c *clause) add(condition string, args ...any) {
	numbers := make([]any, len(args))
	for i := range args {
		numbers[i] = len(c.args) + i + 1
	}
	c.parts = append(c.parts, fmt.Sprintf(condition, numbers...))
	c.args = append(c.args, args...)
}

// last is the last argument.
func (c *clause) last() string { return "$" + strconv.Itoa(len(c.args)) }

func (c *clause) sql() string { return strings.Join(c.parts, " AND ") }

// conditions returns the conditions of a filter.
func conditions(projectID int64, f annotator.TaskFilter) *clause {
	c := &clause{}
	c.add(`t.project_id = $%d`, projectID)
	if len(f.States) > 0 {
		c.add(`t.state = ANY($%d)`, texts(f.States))
	}
	if f.Label != nil {
		c.add(`t.label = $%d`, *f.Label)
	}
	if f.Predicted != nil {
		c.add(`t.predicted = $%d`, *f.Predicted)
	}
	if f.MinConfidence != nil {
		c.add(`t.confidence >= $%d`, *f.MinConfidence)
	}
	if f.MaxConfidence != nil {
		c.add(`t.confidence <= $%d`, *f.MaxConfidence)
	}
	if f.Author != nil {
		c.add(`t.author_id = $%d`, *f.Author)
	}
	switch {
	case f.Assignee == nil:
	case *f.Assignee == 0:
		c.add(`t.assigned_to IS NULL`)
	default:
		c.add(`t.assigned_to = $%d`, *f.Assignee)
	}
	if f.Masked {
		c.parts = append(c.parts, `EXISTS (SELECT FROM images i WHERE i.id = t.image_id AND i.mask_hash <> '')`)
	}
	if f.For != 0 {
		c.add(openTo, f.For)
	}
	if f.Search != "" {
		c.add(`EXISTS (SELECT FROM images i WHERE i.id = t.image_id AND i.name ILIKE ANY ($%d))`, namesLike(f.Search))
	}
	return c
}

// A cursor names the last task of a page: its confidence to the bit, and its id.
func writeCursor(confidence float32, id int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%08x.%d", math.Float32bits(confidence), id))
}

func readCursor(cursor string) (confidence float32, id int64, err error) {
	var bits uint32
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%08x.%d", &bits, &id)
	}
	if err != nil {
		return 0, 0, &annotator.ValidationError{Field: "cursor", Message: "is not one of ours: begin at the first page"}
	}
	return math.Float32frombits(bits), id, nil
}

// CreateTasks implements annotator.ScanStore. It makes a task of every labelled training and pool image that the version gets wrong. An
// image that somebody has worked on keeps its task, whichever version that is of. Untouched tasks of other versions that are open, or were
// withdrawn because those versions are right, are removed, since this version predicts their images again, but the slots of an image stay
// together once one is begun; one that is assigned to
// somebody becomes a task of this version. What the version gets right comes into the reserve.
func (s *Store) CreateTasks(ctx context.Context, versionID int64, images ...int64) (int, error) {
	var created int
	err := s.inTx(ctx, func(tx *Store) error {
		v, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		if err := tx.lockProject(ctx, v.ProjectID); err != nil {
			return err
		}
		created, err = tx.createTasks(ctx, v, images)
		return err
	})
	return created, wrap(err, "making the tasks of version %d", versionID)
}

// CreateTask implements annotator.ScanStore.
func (s *Store) CreateTask(ctx context.Context, versionID, imageID int64) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		WITH out AS (DELETE FROM reserve WHERE version_id = $1 AND image_id = $2 RETURNING chance, inside, reason_place)
		INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, made_right, chance, inside, reason_place)
		SELECT i.project_id, i.id, p.version_id, i.label, p.class, p.confidence, p.correct, coalesce(out.chance, random()), out.inside, out.reason_place
		FROM predictions p JOIN images i ON i.id = p.image_id LEFT JOIN out ON true
		WHERE p.version_id = $1 AND i.id = $2 AND i.label IS NOT NULL AND NOT `+questioned+`
		ON CONFLICT (version_id, image_id, slot) DO UPDATE SET confidence = tasks.confidence -- two people asked at once
		RETURNING id`, versionID, imageID)
	return id, wrap(err, "making a task of image %d", imageID)
}

// tasksOf and predictedOf are how statements find the tasks t, and the predictions p with their images i, of a project ($1) and a version ($2): of all
// images, or of those of $3. There the images come first, whatever the planner takes tables to hold: it may know nothing of those that are being filled,
// and would read a whole project for each 64 images of a scan.
func tasksOf(images []int64) string {
	if images == nil {
		return `t.project_id = $1`
	}
	return `t.project_id = $1 AND t.id = ANY (ARRAY(SELECT its.id FROM (SELECT DISTINCT unnest($3::bigint[]) AS id) one, LATERAL (SELECT id FROM tasks WHERE image_id = one.id OFFSET 0) its))`
}

func predictedOf(images []int64) string {
	if images == nil {
		return `predictions p JOIN images i ON i.id = p.image_id WHERE i.project_id = $1 AND p.version_id = $2`
	}
	return `(SELECT DISTINCT unnest($3::bigint[]) AS id) one, LATERAL (SELECT * FROM images WHERE id = one.id AND project_id = $1 OFFSET 0) i,
			LATERAL (SELECT * FROM predictions WHERE version_id = $2 AND image_id = one.id OFFSET 0) p WHERE true`
}

// argsOf are the arguments of both.
func argsOf(v annotator.Version, images []int64) []any {
	if images == nil {
		return []any{v.ProjectID, v.ID}
	}
	return []any{v.ProjectID, v.ID, images}
}

// createTasks is CreateTasks for some images (nil: all), in a transaction that has locked the project. What it did before it does not do
// again.
func (s *Store) createTasks(ctx context.Context, v annotator.Version, images []int64) (int, error) {
	args := argsOf(v, images)
	if _, err := s.q.Exec(ctx, `
		UPDATE tasks t SET version_id = p.version_id, predicted = p.class, confidence = p.confidence, made_right = p.correct, inside = NULL, confusion_place = NULL, diverse_place = NULL, reason_place = NULL
		FROM predictions p WHERE p.version_id = $2 AND p.image_id = t.image_id AND `+tasksOf(images)+` AND t.version_id <> $2 AND t.state = 'open' AND t.assigned_to IS NOT NULL AND t.slot = 0
			AND NOT EXISTS (SELECT FROM edits e WHERE e.task_id = t.id)`, args...); err != nil {
		return 0, err
	}
	if _, err := s.q.Exec(ctx, `
		DELETE FROM tasks t WHERE `+tasksOf(images)+` AND version_id <> $2 AND assigned_to IS NULL AND (state = 'open' OR state = 'skipped' AND skip_reason = '`+string(annotator.WithdrawnRight)+`')
		AND NOT EXISTS (SELECT FROM edits e WHERE e.task_id = t.id) AND NOT (`+begunSlots+`)`, args...); err != nil {
		return 0, err
	}
	tag, err := s.q.Exec(ctx, `
		INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence)
		SELECT i.project_id, i.id, p.version_id, i.label, p.class, p.confidence
		FROM `+predictedOf(images)+` AND NOT p.correct AND `+makesTasks+` AND NOT `+questioned+`
			AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)
		ORDER BY i.id
		ON CONFLICT (version_id, image_id, slot) DO NOTHING`, args...)
	if err != nil {
		return 0, err
	}
	return int(tag.RowsAffected()), s.fillReserve(ctx, v, images)
}
