-- +goose Up
ALTER TABLE uploads ADD COLUMN tries integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN uploads.tries IS 'How often in a row a worker began to run the model and was never heard of again.';

-- +goose Down
ALTER TABLE uploads DROP COLUMN tries;
