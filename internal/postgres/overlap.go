package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// paints is who paints a slot s: who has drawn in it, holds it or has it assigned.
const paints = `coalesce(s.painter_id, CASE WHEN s.state <> 'skipped' THEN coalesce(s.author_id, s.assigned_to) END)`

// amongTables joins to tasks t what its image has of several maps by different people; amongColumns are those of annotator.Among, with
// who judged any of them.
const (
	amongTables = `LEFT JOIN LATERAL (
		SELECT count(*) FILTER (WHERE s.slot > 0) AS painters, coalesce(bool_or(s.slot > 0 AND s.state NOT IN ('approved', 'skipped')), false) AS undecided,
			coalesce(bool_or(s.slot = 0 AND s.state = 'approved'), false) AS adopted,
			coalesce(array_agg(` + paints + `) FILTER (WHERE s.slot > 0 AND s.id <> t.id AND ` + paints + ` IS NOT NULL), '{}') AS others,
			coalesce(array_agg(s.author_id) FILTER (WHERE s.slot > 0 AND s.id <> t.id AND s.state = 'skipped' AND s.painter_id IS NULL AND s.author_id IS NOT NULL), '{}') AS passed
		FROM tasks s WHERE s.version_id = t.version_id AND s.image_id = t.image_id) among ON true`
	amongColumns = `t.is_check, t.slot, t.painter_id, among.painters, among.undecided, among.adopted AND among.painters > 0, among.others, among.passed,
		ARRAY(SELECT r.reviewer_id FROM tasks s JOIN edits e ON e.task_id = s.id JOIN reviews r ON r.edit_id = e.id
			WHERE s.version_id = t.version_id AND s.image_id = t.image_id AND s.slot > 0)`
)

func amongFields(t *annotator.Task) []any {
	return []any{&t.Check, &t.Slot, &t.PainterID, &t.Among.Painters, &t.Among.Undecided, &t.Among.Adopted, &t.Among.Others, &t.Among.Passed, &t.Among.Judges}
}

// openTo is the condition of tasks t that a person, a parameter's number, may be given: annotator.Task.MayTake as far as slots go.
const openTo = `(t.slot = 0 OR coalesce(t.painter_id, $%[1]d) = $%[1]d
	AND NOT EXISTS (SELECT FROM tasks s WHERE s.image_id = t.image_id AND s.slot > 0 AND s.id <> t.id AND coalesce(s.painter_id, s.author_id, s.assigned_to) = $%[1]d)
	AND NOT EXISTS (SELECT FROM tasks s JOIN edits e ON e.task_id = s.id JOIN reviews r ON r.edit_id = e.id
		WHERE s.image_id = t.image_id AND s.slot > 0 AND r.reviewer_id = $%[1]d))`

// begunSlots is the condition of tasks t that are slots of an image that somebody has begun to paint or has assigned: they stay together.
const begunSlots = `t.slot > 0 AND EXISTS (SELECT FROM tasks s WHERE s.version_id = t.version_id AND s.image_id = t.image_id AND s.slot > 0
	AND (s.state <> 'open' OR s.painter_id IS NOT NULL OR s.assigned_to IS NOT NULL))`

// shown is the condition of maps of tasks t that a person, a parameter's number, is shown, who is a reviewer if the next one is true:
// annotator.Task.hidesFrom.
const shown = `(t.slot = 0 OR coalesce(t.painter_id, t.author_id) = $%[1]d
	OR NOT EXISTS (SELECT FROM tasks s WHERE s.version_id = t.version_id AND s.image_id = t.image_id AND s.slot > 0 AND s.state NOT IN ('approved', 'skipped'))
	OR $%[2]d AND NOT EXISTS (SELECT FROM tasks s WHERE s.version_id = t.version_id AND s.image_id = t.image_id AND s.slot > 0 AND ` + paints + ` = $%[1]d))`

// editAuthor is who made an edit e of user u, in words: of an adopted map, those whose maps it is made of.
const editAuthor = `coalesce((SELECT string_agg(DISTINCT w.name, ', ' ORDER BY w.name) FROM edit_sources x JOIN edits o ON o.id = x.source_id JOIN users w ON w.id = o.author_id WHERE x.edit_id = e.id), u.name)`

// SplitTask implements annotator.OverlapStore.
func (s *Store) SplitTask(ctx context.Context, taskID int64, painters int) (bool, error) {
	split := false
	err := s.inTx(ctx, func(tx *Store) error {
		n, err := tx.exec(ctx, `
			UPDATE tasks t SET slot = 1 WHERE id = $1 AND slot = 0 AND NOT EXISTS (SELECT FROM edits WHERE task_id = t.id)
				AND NOT EXISTS (SELECT FROM tasks s WHERE s.image_id = t.image_id AND s.id <> t.id)`, taskID)
		if split = n == 1; err != nil || !split {
			return err
		}
		_, err = tx.q.Exec(ctx, `
			INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, made_right, chance, confusion_place, diverse_place, reason_place, inside, slot)
			SELECT project_id, image_id, version_id, label, predicted, confidence, made_right, chance, confusion_place, diverse_place, reason_place, inside, n
			FROM tasks, generate_series(2, $2) n WHERE id = $1 ORDER BY n`, taskID, painters)
		return err
	})
	return split, wrap(err, "making task %d one of %d", taskID, painters)
}

// Slots implements annotator.OverlapStore.
func (s *Store) Slots(ctx context.Context, projectID, imageID int64, limit int) ([]annotator.Slot, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (o annotator.Slot, err error) {
		var height, width *int
		var cells []byte
		var marks *attention.Marks
		if err = row.Scan(&o.TaskID, &o.ImageID, &o.VersionID, &o.Slot, &o.State, &o.PainterID, &o.Painter, &o.AdoptedID, &o.EditID, &height, &width, &cells, &marks); err != nil || height == nil {
			return o, err
		}
		m, err := attention.FromBytes(*height, *width, cells)
		m.Marks = *marks
		o.Map = &m
		return o, err
	}, `
		SELECT t.id, t.image_id, t.version_id, t.slot, t.state, w.id, coalesce(w.name, ''), coalesce(a.id, 0), coalesce(e.id, 0), e.map_height, e.map_width, e.map, e.marks
		FROM tasks t LEFT JOIN users w ON w.id = coalesce(t.painter_id, t.author_id)
			LEFT JOIN tasks a ON a.version_id = t.version_id AND a.image_id = t.image_id AND a.slot = 0 AND a.state = 'approved'
			LEFT JOIN LATERAL (SELECT id, map_height, map_width, map, marks FROM edits WHERE task_id = t.id AND state IN ('submitted', 'approved') ORDER BY revision DESC LIMIT 1) e ON true
		WHERE t.slot > 0 AND t.project_id = $1 AND t.image_id IN (
			SELECT image_id FROM tasks WHERE slot > 0 AND project_id = $1 AND ($2 = 0 OR image_id = $2) GROUP BY image_id ORDER BY image_id DESC LIMIT $3)
		ORDER BY t.image_id DESC, t.slot`, projectID, imageID, limit)
	return all, wrap(err, "what several people paint in project %d", projectID)
}

// InsertAdopting implements annotator.OverlapStore.
func (s *Store) InsertAdopting(ctx context.Context, slot annotator.Task) (annotator.Task, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `
		INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, made_right, chance)
		SELECT project_id, image_id, version_id, label, predicted, confidence, made_right, chance FROM tasks WHERE id = $1 RETURNING id`, slot.ID)
	if err != nil {
		return annotator.Task{}, wrap(err, "the task of what is adopted for image %d", slot.ImageID)
	}
	return s.Task(ctx, id)
}

// InsertSources implements annotator.OverlapStore.
func (s *Store) InsertSources(ctx context.Context, editID int64, sources []int64) error {
	_, err := s.exec(ctx, `INSERT INTO edit_sources (edit_id, source_id) SELECT $1, unnest($2::bigint[])`, editID, sources)
	return wrap(err, "what edit %d is made of", editID)
}
