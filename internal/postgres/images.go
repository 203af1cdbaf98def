package postgres

import (
	"cmp"
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// imageColumns are the columns of images under the alias i.
const imageColumns = `i.id, i.project_id, i.source, i.name, i.split, i.label, i.group_name, i.hash, i.mask_hash, i.width, i.height, i.broken, i.retired_why, i.purged_at IS NOT NULL, i.source_label, nullif(i.left_out, '{}')`

// teaches is the condition of an image i whose label is not in doubt (annotator.Image.Teaches), measured of one that figures of held-out
// splits count (annotator.Image.Measured).
var teaches = `NOT i.left_out && '{` + strings.Join(texts(annotator.LeftOutByLabel), ",") + `}'`

const measured = `i.left_out = '{}'`

func imageFields(i *annotator.Image) []any {
	return []any{&i.ID, &i.ProjectID, &i.Source, &i.Name, &i.Split, &i.Label, &i.Group, &i.Hash, &i.MaskHash, &i.Width, &i.Height, &i.Broken, &i.Retired, &i.Purged, &i.SourceLabel, &i.LeftOut}
}

func scanImage(row pgx.CollectableRow) (i annotator.Image, err error) {
	err = row.Scan(imageFields(&i)...)
	return i, err
}

// Image implements annotator.ImageStore.
func (s *Store) Image(ctx context.Context, id int64) (annotator.Image, error) {
	i, err := one(ctx, s, scanImage, `SELECT `+imageColumns+` FROM images i WHERE id = $1 AND `+inProject, id)
	return i, wrap(err, "image %d", id)
}

// Images lists a project's images in use of the given splits (none: all), by id.
func (s *Store) Images(ctx context.Context, projectID int64, splits ...annotator.Split) ([]annotator.Image, error) {
	all, err := list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM images i
		WHERE project_id = $1 AND retired_at IS NULL AND (cardinality($2::text[]) = 0 OR split = ANY($2)) ORDER BY id`, projectID, texts(splits))
	return all, wrap(err, "listing the images of project %d", projectID)
}

// AddImages implements annotator.ImportStore: in bulk, labelled by annotator.LabelImages.
func (s *Store) AddImages(ctx context.Context, projectID int64, images []annotator.NewImage) (int, error) {
	if len(images) == 0 {
		return 0, nil
	}
	var added int64
	err := s.inTx(ctx, func(tx *Store) error {
		classes, hasModel, err := tx.lockClasses(ctx, projectID)
		if err != nil {
			return err
		}
		labels, fresh, err := annotator.LabelImages(classes, hasModel, images)
		if err != nil {
			return err
		}
		if err := tx.insertClasses(ctx, projectID, fresh); err != nil {
			return err
		}
		if err := tx.copyImages(ctx, images, nil, labels, labels); err != nil {
			return err
		}
		tag, err := tx.q.Exec(ctx, `
			INSERT INTO images (project_id, source, name, split, label, source_label, group_name, hash, bytes, mask_hash, mask_bytes, width, height, broken)
			SELECT $1, source, name, split, label, source_label, group_name, hash, `+newBytes+`, mask_hash, mask_bytes, width, height, broken FROM new_images n
			ON CONFLICT (project_id, source, name) WHERE retired_at IS NULL DO NOTHING`, projectID)
		added = tag.RowsAffected()
		if err != nil {
			return err
		}
		return tx.addClicks(ctx, projectID, images)
	})
	return int(added), wrap(err, "adding %d images to project %d", len(images), projectID)
}

// newBytes is the size of the file of an image n in new_images: null where it is not known, 0 where no file is kept.
const newBytes = `CASE WHEN n.broken = '' THEN nullif(n.bytes, 0) ELSE 0 END`

// copyImages puts images into the temporary table new_images, with the ids of those that are there already (nil: none is), the classes
// that they get and those that their source gives them.
func (s *Store) copyImages(ctx context.Context, images []annotator.NewImage, ids []int64, labels, source []*int) error {
	if _, err := s.q.Exec(ctx, `
		CREATE TEMP TABLE IF NOT EXISTS new_images (id bigint, source text, name text, split text, label int, source_label int, group_name text, hash text, bytes bigint, mask_hash text, mask_bytes bigint, width int, height int, broken text)
		ON COMMIT DELETE ROWS`); err != nil {
		return err
	}
	if _, err := s.q.Exec(ctx, `TRUNCATE new_images`); err != nil { // an earlier call in the same transaction may have filled it
		return err
	}
	_, err := s.q.CopyFrom(ctx, pgx.Identifier{"new_images"},
		[]string{"id", "source", "name", "split", "label", "source_label", "group_name", "hash", "bytes", "mask_hash", "mask_bytes", "width", "height", "broken"},
		pgx.CopyFromSlice(len(images), func(i int) ([]any, error) {
			n, id := images[i], int64(0)
			if ids != nil {
				id = ids[i]
			}
			return []any{id, cmp.Or(n.Source, annotator.DefaultSource), n.Name, string(n.Split), labels[i], source[i], n.Group, n.Hash, n.Bytes, n.MaskHash, n.MaskBytes, n.Width, n.Height, text.Clean(n.Broken)}, nil
		}))
	return err
}

// texts turns named strings into what a text[] parameter takes; never nil, which would be NULL.
func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = string(v)
	}
	return out
}
