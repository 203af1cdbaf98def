package postgres_test

import (
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/migrations"
)

// Rounds that were stored when 0 still meant the default now show the values they were trained with.
func TestStoredRoundsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.Approve(t, 0.75)
	round := startRound(t, w)
	var ups []string
	for _, name := range []string{"00026_settings_are_what_they_say.sql", "00027_rates.sql"} {
		file, err := migrations.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(file), "-- +goose Down")
		ups = append(ups, up)
	}
	for name, c := range map[string]struct {
		stored string
		want   func(*recipe.Settings)
	}{
		"zeros":    {`$2::jsonb || '{"momentum": 0, "seed": 0}'`, func(*recipe.Settings) {}},
		"none":     {`$2::jsonb - 'momentum' - 'seed' - 'engine' - 'optimizer'`, func(*recipe.Settings) {}},
		"no rates": {`$2::jsonb - 'rates'`, func(s *recipe.Settings) { s.Rates = "one" }},
		"amounts":  {`$2::jsonb || '{"momentum": 0.5, "seed": 7, "optimizer": "adamw"}'`, func(s *recipe.Settings) { s.Momentum, s.Seed, s.Optimizer = 0.5, 7, "adamw" }},
	} {
		if _, err := w.Store.Pool().Exec(ctx, "UPDATE rounds SET settings = "+c.stored+" WHERE id = $1", round.ID, round.Settings); err != nil {
			t.Fatal(err)
		}
		for _, up := range ups {
			if _, err := w.Store.Pool().Exec(ctx, up); err != nil {
				t.Fatal(err)
			}
		}
		want := round.Settings
		c.want(&want)
		if got, err := w.Store.Round(ctx, round.ID); err != nil || got.Settings != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got.Settings, err, want)
		}
	}
}
