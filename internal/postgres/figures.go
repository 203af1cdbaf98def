package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// PartKinds are the kinds of parts of jobs, by their names in River's table.
var PartKinds = func() (kinds []string) {
	for _, args := range []river.JobArgs{ScanArgs{}, RoundArgs{}, EvaluateArgs{}, ForecastArgs{}, AddArgs{}, FingerprintArgs{}, RankArgs{}, TidyArgs{}, TallyArgs{}} {
		kinds = append(kinds, args.Kind())
	}
	return kinds
}()

// Figures are counts of the whole studio, for who operates it. Every server and worker sees the same.
type Figures struct {
	Parts  []PartFigure  // of River's queues: what waits, runs, or is to be tried again
	Jobs   []StateFigure // by their kind and state, as pages show them
	Going  []GoingFigure // running jobs, by kind
	Tasks  []StateFigure // Kind is ""
	Leases struct {
		Held    int // tasks that somebody has now, to paint or to judge
		Expired int // leases that nobody has renewed: the next who asks gets the task
	}
	Workers                    int   // that were heard of within seconds
	FeatureBytes, FeatureLimit int64 // of their caches together
	DatabaseBytes              int64
	QuotaUsed                  float64 // the greatest share of its quota that a project has used; 0 where none has one
}

// PartFigure counts the parts of a kind in a state. Oldest is the longest time, in seconds, that one of them has been due, or has run.
type PartFigure struct {
	Kind, State string
	Count       int
	Oldest      float64
}

// StateFigure counts what is in a state.
type StateFigure struct {
	Kind, State string
	Count       int
}

// GoingFigure is how far the running jobs of a kind are. Fraction is the least of their shares done, [0,1]; Silent the longest time, in
// seconds, since one of them has told how far it is.
type GoingFigure struct {
	Kind             string
	Fraction, Silent float64
}

// Figures counts what there is. It reads the table of jobs, the tallies of tasks, and of tasks those that somebody holds.
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		if f.Parts, err = list(ctx, tx, pgx.RowToStructByPos[PartFigure], `
			SELECT kind, state::text, count(*)::int, greatest(0, max(extract(epoch FROM now() - CASE WHEN state = 'running' THEN attempted_at ELSE scheduled_at END)))::float8
			FROM river_job WHERE state IN ('available', 'pending', 'scheduled', 'running', 'retryable') GROUP BY 1, 2`); err != nil {
			return err
		}
		if f.Jobs, err = list(ctx, tx, pgx.RowToStructByPos[StateFigure], `SELECT kind, state, count(*)::int FROM jobs GROUP BY 1, 2`); err != nil {
			return err
		}
		if f.Going, err = list(ctx, tx, pgx.RowToStructByPos[GoingFigure], `
			SELECT kind, min(fraction)::float8, greatest(0, max(extract(epoch FROM now() - greatest(reported_at, started_at))))::float8
			FROM jobs WHERE state = 'running' GROUP BY 1`); err != nil {
			return err
		}
		if f.Tasks, err = list(ctx, tx, pgx.RowToStructByPos[StateFigure], `SELECT '', state, sum(n)::int FROM task_tallies GROUP BY 2 HAVING sum(n) > 0`); err != nil {
			return err
		}
		return tx.q.QueryRow(ctx, `
			WITH held AS (
				SELECT lease_expires_at FROM tasks WHERE state = 'leased' UNION ALL SELECT lease_expires_at FROM tasks WHERE reviewer_id IS NOT NULL
			)
			SELECT (SELECT count(*) FROM held WHERE lease_expires_at > now()), (SELECT count(*) FROM held WHERE lease_expires_at <= now()),
				count(*), coalesce(sum(feature_bytes), 0)::bigint, coalesce(sum(feature_limit), 0)::bigint,
				pg_database_size(current_database()), (SELECT coalesce(max(`+usedBytes+`::float8 / nullif(`+quotaOf+`, 0)), 0) FROM projects p WHERE p.deleted_at IS NULL)
			FROM workers WHERE heartbeat_at > now() - make_interval(secs => $1)`, StaleAfter.Seconds()).
			Scan(&f.Leases.Held, &f.Leases.Expired, &f.Workers, &f.FeatureBytes, &f.FeatureLimit, &f.DatabaseBytes, &f.QuotaUsed)
	})
	return f, wrap(err, "counting what there is")
}

// figuresFor is how long what was counted holds, however many ask.
const figuresFor = 5 * time.Second
