-- +goose Up
ALTER TABLE workers
    ADD COLUMN feature_bytes bigint NOT NULL DEFAULT 0 CHECK (feature_bytes >= 0),
    ADD COLUMN feature_limit bigint NOT NULL DEFAULT 0 CHECK (feature_limit >= 0);
COMMENT ON COLUMN workers.feature_bytes IS 'What the worker''s folder of features takes on its disk, as far as it knows.';
COMMENT ON COLUMN workers.feature_limit IS 'The bound of that folder; 0: not said.';

-- +goose Down
ALTER TABLE workers DROP COLUMN feature_bytes, DROP COLUMN feature_limit;
