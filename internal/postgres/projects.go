package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// projectColumns are the columns of projects. Classes have a table of their own.
const projectColumns = `id, slug, name, description, created_at, start_method, start_radius, feedback, second_reviewer, mix, overlap_share, overlap_painters, overlap_seed, check_share, review_share, newcomer_maps, closed_at, deleted_at, purged_at`

func projectFields(p *annotator.Project) []any {
	return []any{&p.ID, &p.Slug, &p.Name, &p.Description, &p.CreatedAt, &p.Start.Method, &p.Start.Radius, &p.Feedback, &p.SecondReviewer, &p.Mix, &p.Overlap.Share, &p.Overlap.Painters, &p.Overlap.Seed, &p.CheckShare, &p.Sampling.Share, &p.Sampling.Newcomer, &p.ClosedAt, &p.DeletedAt, &p.PurgedAt}
}

func scanProject(row pgx.CollectableRow) (p annotator.Project, err error) {
	err = row.Scan(projectFields(&p)...)
	return p, err
}

// ProjectBySlug implements annotator.ProjectStore.
func (s *Store) ProjectBySlug(ctx context.Context, slug string) (annotator.Project, error) {
	p, err := one(ctx, s, scanProject, `SELECT `+projectColumns+` FROM projects WHERE slug = $1 AND deleted_at IS NULL`, slug)
	if err == nil {
		p.Classes, err = s.classes(ctx, p.ID)
	}
	return p, wrap(err, "project %q", slug)
}

// ProjectByID implements annotator.ProjectStore.
func (s *Store) ProjectByID(ctx context.Context, id int64) (annotator.Project, error) {
	p, err := one(ctx, s, scanProject, `SELECT `+projectColumns+` FROM projects WHERE id = $1 AND deleted_at IS NULL`, id)
	if err == nil {
		p.Classes, err = s.classes(ctx, p.ID)
	}
	return p, wrap(err, "project %d", id)
}

// InsertProject implements annotator.ProjectStore.
func (s *Store) InsertProject(ctx context.Context, p annotator.Project) (annotator.Project, error) {
	var added annotator.Project
	err := s.inTx(ctx, func(tx *Store) (err error) {
		added, err = one(ctx, tx, scanProject, `
			INSERT INTO projects (slug, name, description, created_at) VALUES ($1, $2, $3, $4)
			RETURNING `+projectColumns, p.Slug, p.Name, p.Description, p.CreatedAt)
		return err
	})
	if violated(err) == "projects_slug_key" {
		return added, fmt.Errorf("adding project %q: the name in its address is taken: %w", p.Slug, annotator.ErrConflict)
	}
	return added, wrap(err, "adding project %q", p.Slug)
}

// ChangeProject implements annotator.ProjectStore.
func (s *Store) ChangeProject(ctx context.Context, p annotator.Project) error {
	_, err := s.q.Exec(ctx, `UPDATE projects SET name = $2, description = $3, feedback = $4, second_reviewer = $5, mix = $6,
		overlap_share = $7, overlap_painters = $8, overlap_seed = $9, check_share = $10, review_share = $11, newcomer_maps = $12 WHERE id = $1`, p.ID, p.Name, p.Description, p.Feedback, p.SecondReviewer, p.Mix, p.Overlap.Share, p.Overlap.Painters, p.Overlap.Seed, p.CheckShare, p.Sampling.Share, p.Sampling.Newcomer)
	return wrap(err, "changing project %d", p.ID)
}

// RenameClass implements annotator.ProjectStore.
func (s *Store) RenameClass(ctx context.Context, projectID int64, class annotator.Class) error {
	_, err := s.q.Exec(ctx, `UPDATE classes SET name = $3 WHERE project_id = $1 AND index = $2`, projectID, class.Index, class.Name)
	return wrap(err, "renaming class %d of project %d", class.Index, projectID)
}

// hadAHand is a condition that is cheap, and holds wherever task_drawn_by has the person $6 of a task t: most have drawn in few of what waits.
const hadAHand = `(EXISTS (SELECT FROM edits e WHERE e.task_id = t.id AND e.author_id = $6) OR
				EXISTS (SELECT FROM tasks s WHERE s.version_id = t.version_id AND s.image_id = t.image_id AND s.painter_id = $6))`

// ProjectSummaries implements annotator.ProjectStore.
func (s *Store) ProjectSummaries(ctx context.Context, asks int64, member bool, slug string, states ...annotator.ProjectState) ([]annotator.ProjectSummary, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (p annotator.ProjectSummary, err error) {
		var active, job *int64
		err = row.Scan(append(projectFields(&p.Project),
			&p.Role, &p.Images, &p.OpenTasks, &p.InReview, &p.ToReview, &p.LabelsWaiting, &p.LabelsToJudge, &p.ApprovedEdits, &active, &p.RunningRound, &job, &p.Space.Used, &p.Space.Quota)...)
		if active != nil {
			p.ActiveVersion = &annotator.Version{ID: *active}
		}
		if job != nil {
			p.RunningJob = &annotator.Job{ID: *job}
		}
		return p, err
	}, `
		SELECT `+projectColumns+`,
			coalesce((SELECT role FROM memberships m WHERE m.project_id = p.id AND m.user_id = $6), ''),
			(SELECT coalesce(sum(n), 0) FROM image_tallies i WHERE i.project_id = p.id),
			(SELECT coalesce(sum(n), 0) FROM task_tallies t WHERE t.project_id = p.id AND t.state IN ('open', 'leased', 'changes-requested')),
			(SELECT coalesce(sum(n), 0) FROM task_tallies t WHERE t.project_id = p.id AND t.state = 'submitted'),
			(SELECT count(*) FROM tasks t WHERE t.project_id = p.id AND t.state = 'submitted' AND NOT (`+hadAHand+` AND $6 = ANY (task_drawn_by(t.id)))),
			(SELECT count(*) FROM label_verdicts l WHERE l.project_id = p.id AND l.state = 'proposed'),
			(SELECT count(*) FROM label_verdicts l WHERE l.project_id = p.id AND l.state = 'proposed' AND l.author_id <> $6),
			(SELECT coalesce(sum(n), 0) FROM task_tallies t WHERE t.project_id = p.id AND t.state = 'approved' AND t.sole),
			(SELECT id FROM versions v WHERE v.project_id = p.id AND v.state = 'active'),
			(SELECT id FROM rounds r WHERE r.project_id = p.id AND r.state IN ('queued', 'training', 'evaluating')),
			(SELECT max(id) FROM jobs j WHERE j.project_id = p.id AND j.state IN ('queued', 'running') AND j.kind IN ('import', 'scan') AND NOT `+silent+`),
			`+usedBytes+`, `+quotaOf+`
		FROM projects p WHERE ($1 = '' OR slug = $1) AND CASE WHEN deleted_at IS NOT NULL THEN $2 WHEN closed_at IS NOT NULL THEN $3 ELSE $4 END = ANY ($5)
			AND (NOT $7::boolean OR EXISTS (SELECT FROM memberships m WHERE m.project_id = p.id AND m.user_id = $6))
		ORDER BY lower(p.name), p.id`, slug, annotator.ProjectDeleted, annotator.ProjectClosed, annotator.ProjectOpen, texts(states), asks, member)
	for i := range all {
		if err != nil {
			break
		}
		err = s.fillSummary(ctx, &all[i])
	}
	return all, wrap(err, "summing up projects")
}

// fillSummary fills in the values that a summary's ids refer to. A deleted project has no version that could be read.
func (s *Store) fillSummary(ctx context.Context, p *annotator.ProjectSummary) (err error) {
	if p.Classes, err = s.classes(ctx, p.ID); err != nil {
		return err
	}
	if p.DeletedAt != nil {
		p.ActiveVersion = nil
	}
	if p.ActiveVersion != nil {
		v, err := s.Version(ctx, p.ActiveVersion.ID)
		if err != nil {
			return err
		}
		p.ActiveVersion = &v
	}
	if p.RunningJob != nil {
		j, err := s.Job(ctx, p.RunningJob.ID)
		if err != nil {
			return err
		}
		p.RunningJob = &j
	}
	return nil
}
