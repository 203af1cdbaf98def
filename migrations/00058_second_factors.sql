-- A second factor besides the password: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for who has lost it.

-- +goose Up
CREATE TABLE second_factors (
    user_id      bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret       bytea NOT NULL,
    begun_at     timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE second_factors IS 'Secrets that people share with an authenticator app. Asked for once it was confirmed with a code.';
COMMENT ON COLUMN second_factors.secret IS 'As package sealed keeps it: under the key that the studio is started with, if there is one.';
COMMENT ON COLUMN second_factors.last_step IS 'The step of 30 s of the last code that was taken: none of that step or before is taken again.';

CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES second_factors ON DELETE CASCADE,
    hash    bytea NOT NULL CONSTRAINT recovery_codes_hash_is_sha256 CHECK (octet_length(hash) = 32),
    PRIMARY KEY (user_id, hash)
);
COMMENT ON TABLE recovery_codes IS 'Codes that each stand for the app once. Of a code of 80 random bits its SHA-256 is kept; the row goes when it is used.';

-- +goose Down
DROP TABLE recovery_codes;
DROP TABLE second_factors;
