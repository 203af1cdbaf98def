package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// imageColumns are of images under the alias i.
const imageColumns = `i.id, i.project_id, i.name, i.split, i.label, i.group_name, i.hash, i.mask_hash, i.width, i.height, i.broken`

func imageFields(i *annotator.Image) []any {
	return []any{&i.ID, &i.ProjectID, &i.Name, &i.Split, &i.Label, &i.Group, &i.Hash, &i.MaskHash, &i.Width, &i.Height, &i.Broken}
}

func scanImage(row pgx.CollectableRow) (i annotator.Image, err error) {
	err = row.Scan(imageFields(&i)...)
	return i, err
}

// Image implements annotator.ImageStore.
func (s *Store) Image(ctx context.Context, id int64) (annotator.Image, error) {
	i, err := one(ctx, s, scanImage, `SELECT `+imageColumns+` FROM images i WHERE id = $1`, id)
	return i, wrap(err, "image %d", id)
}

// Images lists a project's images of the given splits (none: all), by id.
func (s *Store) Images(ctx context.Context, projectID int64, splits ...annotator.Split) ([]annotator.Image, error) {
	all, err := list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM images i
		WHERE project_id = $1 AND (cardinality($2::text[]) = 0 OR split = ANY($2)) ORDER BY id`, projectID, texts(splits))
	return all, wrap(err, "listing the images of project %d", projectID)
}

// AddImages adds images in bulk and returns how many were new: a name the project has already is left
// as it is. Classes are found as SetClasses describes; an unknown one is added where the project has no
// model yet, else it is a *annotator.ValidationError.
func (s *Store) AddImages(ctx context.Context, projectID int64, images []annotator.NewImage) (int, error) {
	var added int64
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, projectID); err != nil {
			return err
		}
		labels, err := tx.labels(ctx, projectID, images)
		if err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			CREATE TEMP TABLE IF NOT EXISTS new_images (name text, split text, label int, group_name text, hash text, mask_hash text, width int, height int, broken text)
			ON COMMIT DELETE ROWS`); err != nil {
			return err
		}
		_, err = tx.q.CopyFrom(ctx, pgx.Identifier{"new_images"},
			[]string{"name", "split", "label", "group_name", "hash", "mask_hash", "width", "height", "broken"},
			pgx.CopyFromSlice(len(images), func(i int) ([]any, error) {
				n := images[i]
				return []any{n.Name, string(n.Split), labels[i], n.Group, n.Hash, n.MaskHash, n.Width, n.Height, text.Clean(n.Broken)}, nil
			}))
		if err != nil {
			return err
		}
		tag, err := tx.q.Exec(ctx, `
			INSERT INTO images (project_id, name, split, label, group_name, hash, mask_hash, width, height, broken)
			SELECT $1, name, split, label, group_name, hash, mask_hash, width, height, broken FROM new_images
			ON CONFLICT (project_id, name) DO NOTHING`, projectID)
		if err != nil {
			return err
		}
		added = tag.RowsAffected()
		_, err = tx.q.Exec(ctx, `TRUNCATE new_images`) // a further call of the same transaction starts empty
		return err
	})
	return int(added), wrap(err, "adding %d images to project %d", len(images), projectID)
}

// labels finds the class index of each image, nil where it has none; it adds classes as AddImages says.
func (s *Store) labels(ctx context.Context, projectID int64, images []annotator.NewImage) ([]*int, error) {
	classes, err := s.classes(ctx, projectID)
	if err != nil {
		return nil, err
	}
	find := classFinder(classes)
	var unknown []string
	for _, image := range images {
		if _, ok := find(image.Class); !ok && image.Class != "" {
			unknown = append(unknown, image.Class)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		unknown = slices.Compact(unknown)
		versions, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM versions WHERE project_id = $1`, projectID)
		if err != nil {
			return nil, err
		}
		if versions > 0 {
			return nil, &annotator.ValidationError{Field: "class", Message: fmt.Sprintf("%q is none of the model's %d classes (%s)",
				unknown[0], len(classes), firstKeys(classes))}
		}
		var fresh []annotator.Class
		for i, key := range unknown {
			fresh = append(fresh, annotator.Class{Index: len(classes) + i, Key: key, Name: key})
		}
		if err := s.insertClasses(ctx, projectID, fresh); err != nil {
			return nil, err
		}
		find = classFinder(append(classes, fresh...))
	}
	labels := make([]*int, len(images))
	for i, image := range images {
		if image.Class != "" {
			index, _ := find(image.Class)
			labels[i] = &index
		}
	}
	return labels, nil
}

// texts turns named strings into what a text[] parameter takes; never nil, which would be NULL.
func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = string(v)
	}
	return out
}
