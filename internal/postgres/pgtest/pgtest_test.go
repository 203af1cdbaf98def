package pgtest

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestOpenGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	one, other := Open(t), Open(t)
	if _, err := one.Exec(t.Context(), `INSERT INTO projects (slug, name) VALUES ('a', 'A')`); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := other.QueryRow(t.Context(), `SELECT count(*) FROM projects`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Errorf("the other test's database has %d projects, want 0", n)
	}
	if err := other.QueryRow(t.Context(), `SELECT count(*) FROM river_job`).Scan(&n); err != nil {
		t.Errorf("River's tables are missing: %v", err)
	}
}
