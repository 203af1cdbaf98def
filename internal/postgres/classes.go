package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

func (s *Store) classes(ctx context.Context, projectID int64) ([]annotator.Class, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (c annotator.Class, err error) {
		err = row.Scan(&c.Index, &c.Key, &c.Name)
		return c, err
	}, `SELECT index, key, name FROM classes WHERE project_id = $1 ORDER BY index`, projectID)
}

// SetClasses gives a project its classes, in the order of its model's logits. A project that has a
// version keeps the ones it has: other ones are a *annotator.ValidationError. Where an import came before the
// first model, its classes (folder names) are matched to these by key or name, and the images' labels
// are renumbered; one that matches none is a *annotator.ValidationError.
func (s *Store) SetClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	classes = slices.Clone(classes)
	if len(classes) == 0 {
		return &annotator.ValidationError{Field: "classes", Message: "are missing"}
	}
	for i := range classes {
		c := &classes[i]
		c.Index = i
		c.Key, c.Name = strings.TrimSpace(c.Key), strings.TrimSpace(c.Name)
		if c.Key == "" {
			c.Key = c.Name
		}
		if c.Name == "" {
			c.Name = c.Key
		}
		if c.Key == "" {
			return &annotator.ValidationError{Field: "classes", Message: fmt.Sprintf("number %d has no name", i)}
		}
	}
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, projectID); err != nil {
			return err
		}
		old, err := tx.classes(ctx, projectID)
		if err != nil || slices.Equal(old, classes) {
			return err
		}
		versions, err := one(ctx, tx, pgx.RowTo[int], `SELECT count(*) FROM versions WHERE project_id = $1`, projectID)
		if err != nil {
			return err
		}
		if versions > 0 && sameKeys(old, classes) {
			return nil // a round's model may spell the names in its own way
		}
		if versions > 0 {
			return &annotator.ValidationError{Field: "classes", Message: fmt.Sprintf(
				"differ from the project's: it has %d (%s), the model %d (%s)", len(old), firstKeys(old), len(classes), firstKeys(classes))}
		}
		return tx.replaceClasses(ctx, projectID, old, classes)
	})
	return wrap(err, "setting the classes of project %d", projectID)
}

// CheckClasses implements annotator.UploadStore: it sets the classes and takes that back. Outside a transaction only.
func (s *Store) CheckClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.SetClasses(ctx, projectID, classes); err != nil {
			return err
		}
		return errTakeBack
	})
	if errors.Is(err, errTakeBack) {
		return nil
	}
	return err
}

// errTakeBack rolls a transaction back that was only to see whether it could be.
var errTakeBack = errors.New("taken back")

func (s *Store) replaceClasses(ctx context.Context, projectID int64, old, classes []annotator.Class) error {
	from, to := make([]int, len(old)), make([]int, len(old))
	find := classFinder(classes)
	for i, c := range old {
		index, ok := find(c.Key)
		if !ok {
			index, ok = find(c.Name)
		}
		if !ok {
			return &annotator.ValidationError{Field: "classes", Message: fmt.Sprintf("the images have a class %q that the model does not know", c.Key)}
		}
		from[i], to[i] = c.Index, index
	}
	if _, err := s.q.Exec(ctx, `DELETE FROM classes WHERE project_id = $1`, projectID); err != nil {
		return err
	}
	if err := s.insertClasses(ctx, projectID, classes); err != nil {
		return err
	}
	_, err := s.q.Exec(ctx, `
		UPDATE images SET label = m.new FROM unnest($2::int[], $3::int[]) AS m(old, new)
		WHERE project_id = $1 AND label = m.old AND m.old <> m.new`, projectID, from, to)
	return err
}

func (s *Store) insertClasses(ctx context.Context, projectID int64, classes []annotator.Class) error {
	_, err := s.q.CopyFrom(ctx, pgx.Identifier{"classes"}, []string{"project_id", "index", "key", "name"},
		pgx.CopyFromSlice(len(classes), func(i int) ([]any, error) {
			return []any{projectID, classes[i].Index, classes[i].Key, classes[i].Name}, nil
		}))
	if violated(err) == "classes_key" {
		return &annotator.ValidationError{Field: "classes", Message: "two of them have the same name"}
	}
	return err
}

// lockProject keeps other imports and versions of a project out until the transaction ends.
func (s *Store) lockProject(ctx context.Context, projectID int64) error {
	_, err := one(ctx, s, pgx.RowTo[int64], `SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE`, projectID)
	return err
}

// classFinder looks a class up by key, then by name, then by either with case, spaces, hyphens and
// underscores set aside (as folders spell them).
func classFinder(classes []annotator.Class) func(string) (int, bool) {
	exact, loose := map[string]int{}, map[string]int{}
	for _, c := range slices.Backward(classes) {
		exact[c.Name] = c.Index
		loose[loosely(c.Name)], loose[loosely(c.Key)] = c.Index, c.Index
	}
	for _, c := range classes {
		exact[c.Key] = c.Index
	}
	return func(name string) (int, bool) {
		if index, ok := exact[name]; ok {
			return index, true
		}
		index, ok := loose[loosely(name)]
		return index, ok
	}
}

func loosely(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

func sameKeys(a, b []annotator.Class) bool {
	return slices.EqualFunc(a, b, func(x, y annotator.Class) bool { return x.Key == y.Key })
}

func firstKeys(classes []annotator.Class) string {
	var keys []string
	for _, c := range classes[:min(3, len(classes))] {
		keys = append(keys, c.Key)
	}
	if len(classes) > 3 {
		keys = append(keys, "…")
	}
	return strings.Join(keys, ", ")
}
