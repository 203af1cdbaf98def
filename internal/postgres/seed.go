package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// LockUntouched implements annotator.SeedStore. It may make a task for an image that the version gets right.
func (s *Store) LockUntouched(ctx context.Context, v annotator.Version, imageID int64) (annotator.Task, error) {
	found, err := s.LockUntouchedOf(ctx, v, []int64{imageID})
	task, there := found[imageID]
	if err == nil && !there {
		err = annotator.ErrNotFound
	}
	return task, wrap(err, "the task of image %d", imageID)
}

// LockUntouchedOf implements annotator.BringStore.
func (s *Store) LockUntouchedOf(ctx context.Context, v annotator.Version, imageIDs []int64) (map[int64]annotator.Task, error) {
	found := map[int64]annotator.Task{}
	err := s.inTx(ctx, func(tx *Store) error {
		// Each image by its keys: without statistics the planner would read whole tables.
		if _, err := tx.q.Exec(ctx, `
			INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, made_right)
			SELECT i.project_id, i.id, $2, i.label, i.class, i.confidence, i.correct
			FROM unnest($1::bigint[]) x(id), LATERAL (
				SELECT i.project_id, i.id, i.label, p.class, p.confidence, p.correct FROM images i, predictions p
				WHERE i.id = x.id AND p.image_id = x.id AND p.version_id = $2 AND i.project_id = $3 AND i.label IS NOT NULL AND i.retired_at IS NULL AND `+teaches+`
					AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = x.id) LIMIT 1) i`,
			distinct(imageIDs), v.ID, v.ProjectID); err != nil {
			return err
		}
		ids, err := list(ctx, tx, pgx.RowTo[int64], `
			SELECT id FROM tasks t WHERE image_id = ANY ($1) AND version_id = $2 AND project_id = $3 AND state = $4 AND slot = 0
				AND NOT EXISTS (SELECT FROM edits WHERE task_id = t.id) ORDER BY id FOR UPDATE`, imageIDs, v.ID, v.ProjectID, annotator.TaskTransitions.To(annotator.EventMake))
		if err != nil {
			return err
		}
		tasks, err := list(ctx, tx, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.id = ANY ($1)`, ids)
		for _, t := range tasks {
			found[t.ImageID] = t
		}
		return err
	})
	return found, wrap(err, "the tasks of %d images", len(imageIDs))
}

func distinct(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// InsertBrought implements annotator.BringStore: in as many statements, however many maps there are.
func (s *Store) InsertBrought(ctx context.Context, v annotator.Version, all []annotator.Brought) error {
	if len(all) == 0 {
		return nil
	}
	err := s.inTx(ctx, func(tx *Store) error {
		n := len(all)
		tasks, authors, made := make([]int64, n), make([]int64, n), make([]string, n)
		states, cells, marks, provenance := make([]string, n), make([][]byte, n), make([]string, n), make([]*string, n)
		created, submitted := make([]time.Time, n), make([]*time.Time, n)
		for i, b := range all {
			tasks[i], authors[i], made[i], cells[i], provenance[i], created[i] = b.Edit.TaskID, b.Edit.AuthorID, string(b.Edit.Source), b.Edit.Map.Bytes(), document(b.Edit.Provenance), b.Edit.CreatedAt
			marks[i] = string(b.Edit.Map.Marks.Plain())
			states[i] = string(annotator.EditTransitions.To(annotator.EventSave))
			if b.Edit.State != annotator.EditDraft { // a verdict follows below
				states[i], submitted[i] = string(annotator.EditTransitions.To(annotator.EventSubmit)), &b.Submitted
			}
		}
		if _, err := tx.q.Exec(ctx, `
			INSERT INTO edits (task_id, revision, author_id, version_id, state, source, map_height, map_width, map, marks, provenance, created_at, submitted_at)
			SELECT task, 1, author, $1, state, made, $2, $3, cells, marks, provenance::json, created, submitted
			FROM unnest($4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[])
				x(task, author, state, made, cells, marks, provenance, created, submitted)`,
			v.ID, v.GridHeight, v.GridWidth, tasks, authors, states, made, cells, marks, provenance, created, submitted); err != nil {
			return err
		}
		if err := tx.judgeBrought(ctx, all); err != nil {
			return err
		}
		return tx.updateBrought(ctx, all)
	})
	return wrap(err, "adding %d maps", len(all))
}

// judgeBrought adds the verdicts on maps that were brought.
func (s *Store) judgeBrought(ctx context.Context, all []annotator.Brought) error {
	var tasks, reviewers []int64
	var verdicts, comments, states []string
	var at []time.Time
	for _, b := range all {
		if r := b.Review; r != nil {
			tasks, reviewers, verdicts, comments, at = append(tasks, b.Edit.TaskID), append(reviewers, r.ReviewerID), append(verdicts, string(r.Verdict)), append(comments, r.Comment), append(at, r.CreatedAt)
			states = append(states, string(annotator.EditTransitions.To(r.Verdict.Event())))
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	if _, err := s.q.Exec(ctx, `
		INSERT INTO reviews (edit_id, reviewer_id, verdict, comment, created_at)
		SELECT e.id, x.reviewer, x.verdict, x.comment, x.at
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[]) x(task, reviewer, verdict, comment, at), LATERAL (
			SELECT id FROM edits WHERE task_id = x.task AND revision = 1 LIMIT 1) e`, tasks, reviewers, verdicts, comments, at); err != nil {
		return err
	}
	_, err := s.q.Exec(ctx, `
		UPDATE edits SET judged_at = x.at, state = x.state FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) x(task, state, at)
		WHERE task_id = x.task AND revision = 1`, tasks, states, at)
	return err
}

// updateBrought writes what the tasks of maps have become.
func (s *Store) updateBrought(ctx context.Context, all []annotator.Brought) error {
	n := len(all)
	ids, states, authors := make([]int64, n), make([]string, n), make([]*int64, n)
	returned, submitted, updated := make([]bool, n), make([]*time.Time, n), make([]time.Time, n)
	for i, b := range all {
		t := b.Task
		ids[i], states[i], authors[i], returned[i], submitted[i], updated[i] = t.ID, string(t.State), t.AuthorID, t.Returned, t.SubmittedAt, t.UpdatedAt
	}
	_, err := s.q.Exec(ctx, `
		UPDATE tasks SET state = x.state, author_id = x.author, returned = x.returned, submitted_at = x.submitted, updated_at = x.updated
		FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bool[], $5::timestamptz[], $6::timestamptz[]) x(task, state, author, returned, submitted, updated)
		WHERE id = x.task`, ids, states, authors, returned, submitted, updated)
	return err
}

// MapTargets implements annotator.BringStore.
func (s *Store) MapTargets(ctx context.Context, v annotator.Version) ([]annotator.MapTarget, error) {
	all, err := list(ctx, s, pgx.RowToStructByName[annotator.MapTarget], `
		SELECT i.id AS image_id, i.source, i.name,
			CASE WHEN i.broken <> '' THEN 'the picture cannot be read'
				WHEN i.label IS NULL THEN 'the image has no class, and a map says where to look for it: label it first'
				WHEN p.image_id IS NULL THEN 'the active version has not scanned the image yet: wait for its scan'
				ELSE '' END AS why,
			EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id AND (t.version_id <> $2 OR t.state <> $3 OR t.slot > 0 OR EXISTS (SELECT FROM edits e WHERE e.task_id = t.id))) AS worked
		FROM images i LEFT JOIN predictions p ON p.image_id = i.id AND p.version_id = $2
		WHERE i.project_id = $1 AND i.retired_at IS NULL ORDER BY i.id`, v.ProjectID, v.ID, annotator.TaskTransitions.To(annotator.EventMake))
	return all, wrap(err, "listing the images of project %d", v.ProjectID)
}

// LatestMaps implements annotator.BringStore.
func (s *Store) LatestMaps(ctx context.Context, imageIDs []int64) (map[int64]annotator.Edit, error) {
	found := map[int64]annotator.Edit{}
	if len(imageIDs) == 0 {
		return found, nil
	}
	type pair struct{ Image, Edit int64 }
	pairs, err := list(ctx, s, pgx.RowToStructByPos[pair], `
		SELECT DISTINCT ON (t.image_id) t.image_id, e.id FROM tasks t JOIN edits e ON e.task_id = t.id
		WHERE t.image_id = ANY ($1) ORDER BY t.image_id, e.created_at DESC, e.id DESC`, imageIDs)
	if err == nil {
		ids, images := make([]int64, len(pairs)), map[int64]int64{}
		for i, p := range pairs {
			ids[i], images[p.Edit] = p.Edit, p.Image
		}
		var edits []annotator.Edit
		edits, err = list(ctx, s, scanEdit, `SELECT `+editColumns+` FROM `+editTables+` WHERE e.id = ANY ($1)`, ids)
		for _, e := range edits {
			found[images[e.ID]] = e
		}
	}
	return found, wrap(err, "the latest maps of %d images", len(imageIDs))
}
