package postgres_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What waits is counted by kind and state, with for how long; so are jobs, tasks, leases and workers. A scrape while the database is away
// still has the process's own figures.
func TestCollector(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	if _, err := w.Store.EnqueueScan(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE river_job SET scheduled_at = now() - interval '10 minutes' WHERE kind = 'scan'`,
		`UPDATE tasks SET state = 'leased', author_id = (SELECT min(id) FROM users), lease_expires_at = now() + interval '1 hour' WHERE id = (SELECT min(id) FROM tasks WHERE state = 'open')`,
	} {
		if _, err := w.Store.Pool().Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Store.Heartbeat(ctx, annotator.Worker{ID: "a", Host: "alpha", FeatureBytes: 7, FeatureLimit: 9}); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(postgres.NewCollector(w.Store))
	got := gathered(t, registry)
	for series, want := range map[string][2]float64{ // from, to
		`studio_queue_parts kind=scan state=available`:  {1, 10},
		`studio_queue_parts kind=scan state=running`:    {0, 0},
		`studio_queue_parts kind=round state=available`: {0, 0},
		`studio_queue_oldest_seconds kind=scan`:         {600, 700},
		`studio_queue_oldest_seconds kind=round`:        {0, 0},
		`studio_jobs kind=scan state=queued`:            {1, 1},
		`studio_tasks state=leased`:                     {1, 1},
		`studio_leases state=held`:                      {1, 1},
		`studio_leases state=expired`:                   {0, 0},
		`studio_workers`:                                {1, 1},
		`studio_feature_cache_bytes`:                    {7, 7},
		`studio_feature_cache_limit_bytes`:              {9, 9},
	} {
		if value, ok := got[series]; !ok || value < want[0] || value > want[1] {
			t.Errorf("%s is %v (there: %v), want %v", series, value, ok, want)
		}
	}

	w.Store.Close()
	registry = prometheus.NewRegistry()
	registry.MustRegister(postgres.NewCollector(w.Store))
	if got := gathered(t, registry); got["studio_db_connections_max"] == 0 || len(got) > 8 {
		t.Errorf("without a database: %v", got)
	}
}

// gathered are the values of a scrape, by name and labels.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			series := []string{family.GetName()}
			for _, label := range metric.GetLabel() {
				series = append(series, label.GetName()+"="+label.GetValue())
			}
			all[strings.Join(series, " ")] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return all
}

// A part has the id of the request that asked for it beside what others keep there, also after another worker has taken it over.
func TestPartsKnowTheirRequest(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	job, err := w.Store.EnqueueScan(logs.WithRequest(ctx, "XIPJ7R4CMTZK2Q3D"), w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	pool := w.Store.Pool()
	if _, err := pool.Exec(ctx, `
		UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '50 s', attempted_by = ARRAY['dead'] WHERE kind = 'scan'`); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Heartbeat(ctx, annotator.Worker{ID: "me"}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `UPDATE workers SET steady_since = now() - interval '1 minute'`); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Store.RescueParts(ctx, "me", nil); err != nil || n == 0 {
		t.Fatalf("%d taken over, %v", n, err)
	}
	rows, err := pool.Query(ctx, `SELECT metadata FROM river_job WHERE kind = 'scan' AND state = 'available' AND (args ->> 'job_id')::bigint = $1`, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var raw []byte
		var kept postgres.PartMetadata
		if err := rows.Scan(&raw); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &kept); err != nil || kept.Request != "XIPJ7R4CMTZK2Q3D" || kept.Trace != "" {
			t.Errorf("%s: %+v, %v", raw, kept, err)
		}
	}
	if n == 0 {
		t.Error("no part is there")
	}
}
