package postgres_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A value that the domain lets through and PostgreSQL refuses is named by its column, whatever PostgreSQL's error says.
func TestRefusedValuesAreNamed(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	tooLarge := math.MaxInt32 + 1
	for name, c := range map[string]struct {
		field string
		do    func() error
	}{
		"a NUL in a comparison":    {"email", func() error { _, _, err := w.Store.UserByEmail(ctx, "a\x00"); return err }},
		"no UTF-8 in a comparison": {"slug", func() error { _, err := w.Store.ProjectBySlug(ctx, "\xff"); return err }},
		"no UTF-8 in an insertion": {"name", func() error {
			_, err := w.Store.InsertToken(ctx, annotator.Token{UserID: w.Ada.ID, Name: "caf\xe9", Scopes: []annotator.Scope{annotator.ScopeRead}}, []byte("0"))
			return err
		}},
		"a NUL among rows copied": {"group_name", func() error {
			_, err := w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{{Name: "x", Split: annotator.SplitTrain, Group: "\x00", Hash: pgtest.Hash(1), Width: 1, Height: 1}})
			return err
		}},
		"a name that no index takes": {"value", func() error { // PostgreSQL names the index, not the column
			long := make([]byte, 9000)
			for i := range long {
				long[i] = 'a' + byte(rand.IntN(26)) // it compresses what repeats
			}
			_, err := w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{{Name: string(long), Split: annotator.SplitTrain, Hash: pgtest.Hash(1), Width: 1, Height: 1}})
			return err
		}},
		"an escaped NUL in JSON": {"manifest", func() error {
			v := pgtest.NewVersion(7)
			v.Manifest = []byte(`{"classes": ["\u0000"]}`)
			_, err := w.Store.AddVersion(ctx, w.Project.ID, v)
			return err
		}},
		"a number beyond its column": {"label", func() error {
			_, err := w.Store.TaskCards(ctx, w.Project.ID, annotator.TaskFilter{Label: &tooLarge, Limit: 1})
			return err
		}},
		"a number PostgreSQL cannot keep": {"manifest", func() error {
			v := pgtest.NewVersion(7)
			v.Manifest = []byte(`{"x": 1e999999}`)
			_, err := w.Store.AddVersion(ctx, w.Project.ID, v)
			return err
		}},
		"a rule of a column": {"slug", func() error {
			_, err := w.Store.InsertProject(ctx, annotator.Project{Slug: "No Slug", Name: "P"})
			return err
		}},
	} {
		err := c.do()
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: %v, want a ValidationError of %s", name, err, c.field)
		}
	}
}
