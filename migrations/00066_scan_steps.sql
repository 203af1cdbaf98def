-- A scan of a large project looks for the images that its version has not predicted a page at a time, outside of the transaction that starts it.

-- +goose Up
ALTER TABLE jobs ADD COLUMN looked_until bigint, ADD COLUMN looked_group smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.looked_until IS 'Of a scan that still looks for unseen images: the last image that was looked at, of looked_group. NULL: all were.';
COMMENT ON COLUMN jobs.looked_group IS 'Which splits a scan looks at: 0 those that tasks come from, 1 the others.';

-- +goose Down
-- Scans that had not looked at all images look at them when they are started again.
UPDATE jobs SET state = 'failed', finished_at = now(), remaining_seconds = 0, message = 'the studio was taken back to an earlier release: start the scan again'
    WHERE looked_until IS NOT NULL AND state IN ('queued', 'running');
ALTER TABLE jobs DROP COLUMN looked_until, DROP COLUMN looked_group;
