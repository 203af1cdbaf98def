-- Passkeys: keys of a person's authenticators, which sign them in without a password.

-- +goose Up
CREATE TABLE passkeys (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    handle     bytea NOT NULL CONSTRAINT passkeys_handle_key UNIQUE,
    credential jsonb NOT NULL,
    name       text NOT NULL,
    added_at   timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id);
COMMENT ON TABLE passkeys IS 'Public keys of authenticators (Web Authentication). Nobody signs in with a copy of them.';
COMMENT ON COLUMN passkeys.handle IS 'The credential''s id, by which an authenticator names it.';

-- +goose Down
DROP TABLE passkeys;
