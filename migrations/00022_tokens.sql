-- +goose Up
-- Tokens made before could do all that their owner could. They keep their work, but not for ever, and no scope reaches
-- passwords, tokens and accounts any more.
ALTER TABLE tokens
    ADD COLUMN scopes     text[] NOT NULL DEFAULT '{read,paint,review,admin}',
    ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '90 days',
    ADD COLUMN revoked_at timestamptz,
    ADD CONSTRAINT tokens_scopes CHECK (cardinality(scopes) >= 1 AND scopes <@ '{read,paint,review,admin}');
ALTER TABLE tokens ALTER COLUMN scopes DROP DEFAULT, ALTER COLUMN expires_at DROP DEFAULT;
COMMENT ON TABLE tokens IS 'Bearer tokens of the API. Only the SHA-256 of a token is kept. Revoked ones stay, so that whoever uses one is told.';
COMMENT ON COLUMN tokens.scopes IS 'What it may be used for, where its owner''s role allows that.';

-- +goose Down
DELETE FROM tokens WHERE revoked_at IS NOT NULL OR expires_at <= now(); -- or they would be good again
ALTER TABLE tokens DROP COLUMN scopes, DROP COLUMN expires_at, DROP COLUMN revoked_at;
COMMENT ON TABLE tokens IS 'Bearer tokens of the API. Only the SHA-256 of a token is kept.';
