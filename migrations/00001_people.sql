-- +goose Up
CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL CHECK (email <> ''),
    name          text NOT NULL CHECK (btrim(name) <> ''),
    role          text NOT NULL CHECK (role IN ('annotator', 'reviewer', 'admin')),
    password_hash text,
    disabled      boolean NOT NULL DEFAULT false,
    generator     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz,
    CONSTRAINT users_generator_has_no_password CHECK (generator = (password_hash IS NULL))
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
COMMENT ON TABLE users IS 'People who can sign in, and generators: authors of edits no person painted.';
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null for generators, who cannot sign in.';

CREATE TABLE tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users,
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tokens_user ON tokens (user_id);
COMMENT ON TABLE tokens IS 'Bearer tokens of the API. Only the SHA-256 of a token is kept.';

CREATE TABLE sessions (
    token  text PRIMARY KEY,
    data   bytea NOT NULL,
    expiry timestamptz NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expiry);
COMMENT ON TABLE sessions IS 'Signed-in browsers, as scs with pgxstore keeps them.';

-- +goose Down
DROP TABLE sessions, tokens, users;
