-- +goose Up
ALTER TABLE tokens ADD COLUMN last_used_at timestamptz;
COMMENT ON COLUMN tokens.last_used_at IS 'To within ten minutes: it is not written at every request.';

-- +goose Down
ALTER TABLE tokens DROP COLUMN last_used_at;
