-- +goose Up
ALTER TABLE versions ADD COLUMN training jsonb;
COMMENT ON COLUMN versions.training IS 'What each engine can train of the network, by strategy and BatchNorm, and which nodes keep it from the rest; null where nobody has asked yet.';

-- +goose Down
ALTER TABLE versions DROP COLUMN training;
