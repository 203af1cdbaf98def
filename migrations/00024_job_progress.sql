-- +goose Up
ALTER TABLE jobs
    ADD COLUMN phase       text NOT NULL DEFAULT '',
    ADD COLUMN fraction    double precision NOT NULL DEFAULT 0 CHECK (fraction >= 0 AND fraction <= 1),
    ADD COLUMN reported_at timestamptz NOT NULL DEFAULT now();
UPDATE jobs SET fraction = 1 WHERE state = 'finished';
COMMENT ON COLUMN jobs.phase IS 'The stage at work (internal/progress); done and total count its units, or percent of a round.';
COMMENT ON COLUMN jobs.fraction IS 'Share of the whole work. It never falls, and is 1 only when the job has finished.';
COMMENT ON COLUMN jobs.reported_at IS 'When whoever does the work was last heard of. Work that no River job stands for is given up when this is old.';

-- +goose Down
ALTER TABLE jobs DROP COLUMN phase, DROP COLUMN fraction, DROP COLUMN reported_at;
