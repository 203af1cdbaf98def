package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// paintable is the condition on an image i that it may have tasks.
const paintable = `i.project_id = $1 AND i.split IN ('train', 'pool') AND i.broken = '' AND i.retired_at IS NULL`

// SetStart implements annotator.StartStore.
func (s *Store) SetStart(ctx context.Context, projectID int64, start attention.Start) error {
	_, err := s.q.Exec(ctx, `UPDATE projects SET start_method = $2, start_radius = $3 WHERE id = $1`, projectID, string(start.Method), start.Radius)
	return wrap(err, "changing how maps begin in project %d", projectID)
}

// Clicks implements annotator.StartStore.
func (s *Store) Clicks(ctx context.Context, imageID int64) ([][2]float64, error) {
	all, err := list(ctx, s, pgx.RowTo[[]float32], `SELECT places FROM image_clicks WHERE image_id = $1`, imageID)
	if err != nil || len(all) == 0 {
		return nil, wrap(err, "the clicks on image %d", imageID)
	}
	return pairs(all[0]), nil
}

// pairs turns x, y, x, y, … into places (x, y); nil for none.
func pairs(flat []float32) [][2]float64 {
	var places [][2]float64
	for i := 0; i+1 < len(flat); i += 2 {
		places = append(places, [2]float64{float64(flat[i]), float64(flat[i+1])})
	}
	return places
}

// StartSources implements annotator.StartStore.
func (s *Store) StartSources(ctx context.Context, projectID int64) (annotator.StartSources, error) {
	found, err := one(ctx, s, pgx.RowToStructByPos[annotator.StartSources], `
		SELECT count(*), count(*) FILTER (WHERE i.mask_hash <> ''), count(c.image_id)
		FROM images i LEFT JOIN image_clicks c ON c.image_id = i.id WHERE `+paintable, projectID)
	return found, wrap(err, "what maps can be made of in project %d", projectID)
}

// StartExamples implements annotator.StartStore. It orders images by their hashes: the order is always the same and does not depend
// on what they show.
func (s *Store) StartExamples(ctx context.Context, projectID int64, limit int) ([]annotator.Image, error) {
	all, err := list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM images i LEFT JOIN image_clicks c ON c.image_id = i.id
		WHERE `+paintable+` AND (i.mask_hash <> '' OR c.image_id IS NOT NULL)
		ORDER BY i.mask_hash = '' OR c.image_id IS NULL, i.hash, i.id LIMIT $2`, projectID, limit)
	return all, wrap(err, "images of project %d with masks or clicks", projectID)
}

// JudgedEdits implements annotator.StartStore.
func (s *Store) JudgedEdits(ctx context.Context, imageID int64) ([]annotator.Edit, error) {
	all, err := list(ctx, s, scanEdit, `
		SELECT `+editColumns+` FROM `+editTables+` JOIN tasks t ON t.id = e.task_id
		WHERE t.image_id = $1 AND e.state IN ('submitted', 'approved', 'rejected') ORDER BY e.id DESC`, imageID)
	return all, wrap(err, "the judged maps of image %d", imageID)
}

// approvedOf is the condition on edits e of tasks t of images i that CountApprovedMaps and ApprovedMaps share.
const approvedOf = `edits e JOIN tasks t ON t.id = e.task_id JOIN images i ON i.id = t.image_id
	WHERE i.project_id = $1 AND i.label = $2 AND i.id <> $3 AND i.retired_at IS NULL AND e.state = 'approved' AND t.slot = 0 AND e.map_height = $4 AND e.map_width = $5`

// CountApprovedMaps implements annotator.StartStore.
func (s *Store) CountApprovedMaps(ctx context.Context, projectID int64, label int, except int64, height, width int) (int, error) {
	n, err := one(ctx, s, pgx.RowTo[int], `SELECT count(DISTINCT i.id) FROM `+approvedOf, projectID, label, except, height, width)
	return n, wrap(err, "counting the approved maps of class %d", label)
}

// ApprovedMaps implements annotator.StartStore. It reads pages of bounded size, each of which may be read again when the connection fails.
func (s *Store) ApprovedMaps(ctx context.Context, projectID int64, label int, except int64, height, width int, each func(attention.Map)) error {
	type approved struct {
		ImageID int64
		Cells   []byte
		Marks   attention.Marks
	}
	const pageBytes = 4 << 20
	page := max(1, pageBytes/(4*height*width))
	for after := int64(0); ; {
		all, err := list(ctx, s, pgx.RowToStructByPos[approved], `
			SELECT DISTINCT ON (i.id) i.id, e.map, e.marks FROM `+approvedOf+` AND i.id > $6 ORDER BY i.id, e.id DESC LIMIT $7`,
			projectID, label, except, height, width, after, page)
		if err != nil {
			return wrap(err, "the approved maps of class %d", label)
		}
		for _, a := range all {
			m, err := attention.FromBytes(height, width, a.Cells)
			if err != nil {
				return wrap(err, "the approved map of image %d", a.ImageID)
			}
			m.Marks = a.Marks
			each(m)
			after = a.ImageID
		}
		if len(all) < page {
			return nil
		}
	}
}

// addClicks keeps the clicks on images whose names and files the project has.
func (s *Store) addClicks(ctx context.Context, projectID int64, images []annotator.NewImage) error {
	const together = 1000
	var sources, names, hashes []string
	var places [][]float32
	flush := func() error {
		if len(names) == 0 {
			return nil
		}
		batch := &pgx.Batch{}
		for i := range names {
			batch.Queue(`
				INSERT INTO image_clicks (image_id, places)
				SELECT id, $4 FROM images WHERE project_id = $1 AND source = $5 AND name = $2 AND hash = $3 AND retired_at IS NULL
				ON CONFLICT (image_id) DO UPDATE SET places = excluded.places`, projectID, names[i], hashes[i], places[i], sources[i])
		}
		sources, names, hashes, places = sources[:0], names[:0], hashes[:0], places[:0]
		return s.q.SendBatch(ctx, batch).Close()
	}
	for _, image := range images {
		if len(image.Clicks) == 0 || image.Broken != "" {
			continue
		}
		flat := make([]float32, 0, 2*len(image.Clicks))
		for _, c := range image.Clicks {
			flat = append(flat, float32(c[0]), float32(c[1]))
		}
		sources = append(sources, cmp.Or(image.Source, annotator.DefaultSource))
		names, hashes, places = append(names, image.Name), append(hashes, image.Hash), append(places, flat)
		if len(names) == together {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
