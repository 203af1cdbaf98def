-- A studio that nobody can sign in to prints a link, with which its first admin is made in a browser.

-- +goose Up
CREATE TABLE setup_link (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE setup_link IS 'The link in the log that makes the first admin: the newest, gone once there is a person. Only the SHA-256 of its key is kept.';

-- +goose Down
DROP TABLE setup_link;
