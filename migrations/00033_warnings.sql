-- +goose Up
ALTER TABLE versions ADD COLUMN warnings jsonb;
COMMENT ON COLUMN versions.warnings IS 'Sentences on what was known against the network when it was added, a list; null: nothing, or it was added before this was kept.';

-- +goose Down
ALTER TABLE versions DROP COLUMN warnings;
