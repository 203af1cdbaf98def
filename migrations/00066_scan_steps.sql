-- What of a million images is left to be done a part at a time. A scan of a large project looks for the images that its version has not predicted page by page, outside
-- of the transaction that starts it. Held-out images are compared with those that a round was judged on by at most 1,000 of each: those with the least
-- number that follows from their id alone, so that the same images are among both.

-- +goose Up
ALTER TABLE jobs ADD COLUMN looks boolean NOT NULL DEFAULT false, ADD COLUMN looked_group smallint NOT NULL DEFAULT 0, ADD COLUMN looked_until bigint[] NOT NULL DEFAULT '{0,0}';
COMMENT ON COLUMN jobs.looks IS 'Whether a scan still looks for unseen images: of looked_group, then of those after it.';
COMMENT ON COLUMN jobs.looked_group IS 'Which splits a scan looks at: 0 those that tasks come from, 1 the others.';
COMMENT ON COLUMN jobs.looked_until IS 'Of each group the last image that was looked at. Images that are added later come after it.';

CREATE INDEX images_heldout ON images (project_id, split, (id % 4294967296 * 1103515245 % 4294967296)) WHERE split IN ('test', 'validation');

ALTER TABLE round_rows ADD COLUMN judged_some bigint[];
COMMENT ON COLUMN round_rows.judged_some IS 'Of images->judged the 1,000 with the least number of the index images_heldout, in its order.';
-- +goose StatementBegin
CREATE FUNCTION round_rows_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.judged_some := ARRAY(
        SELECT id FROM (SELECT j::text::bigint AS id FROM jsonb_array_elements(CASE jsonb_typeof(NEW.images->'judged') WHEN 'array' THEN NEW.images->'judged' ELSE '[]' END) j) judged
        ORDER BY id % 4294967296 * 1103515245 % 4294967296, id LIMIT 1000);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER round_rows_some BEFORE INSERT OR UPDATE OF images ON round_rows FOR EACH ROW EXECUTE FUNCTION round_rows_some();
UPDATE round_rows SET images = images;
ALTER TABLE round_rows ALTER COLUMN judged_some SET NOT NULL;

-- +goose Down
DROP TRIGGER round_rows_some ON round_rows;
DROP FUNCTION round_rows_some();
ALTER TABLE round_rows DROP COLUMN judged_some;
DROP INDEX images_heldout;
-- Scans that had not looked at all images look at them when they are started again.
UPDATE jobs SET state = 'failed', finished_at = now(), remaining_seconds = 0, message = 'the studio was taken back to an earlier release: start the scan again'
    WHERE looks AND state IN ('queued', 'running');
ALTER TABLE jobs DROP COLUMN looks, DROP COLUMN looked_group, DROP COLUMN looked_until;
