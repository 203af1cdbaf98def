-- Rounds from before there was a choice trained all layers at one rate; a new round says what it does.

-- +goose Up
UPDATE rounds SET settings = '{"rates": "one"}'::jsonb || settings;

-- +goose Down
UPDATE rounds SET settings = settings - 'rates';
