-- +goose Up
ALTER TABLE workers ADD COLUMN steady_since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN workers.steady_since IS 'Since when it has been heard of without a gap. Only who has been long enough may take over from a silent worker: after an outage of the database everybody else had the time to report, too.';

-- +goose Down
ALTER TABLE workers DROP COLUMN steady_since;
