-- People sign in by an institution (OpenID Connect): which of its people an account is. Such an account needs no password. What a password
-- was asked for, to show that somebody is there, they show by a sign-in of a moment ago.

-- +goose Up
CREATE TABLE identities (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id   bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    issuer    text NOT NULL,
    subject   text NOT NULL CHECK (subject <> ''),
    linked_at timestamptz NOT NULL,
    CONSTRAINT identities_subject_key UNIQUE (issuer, subject),
    CONSTRAINT identities_one_of_an_issuer UNIQUE (user_id, issuer)
);
COMMENT ON TABLE identities IS 'Whom a provider of OpenID Connect vouches for when it names a subject.';
COMMENT ON COLUMN identities.subject IS 'The provider''s own name for the person, which it never gives to another.';
ALTER TABLE users
    DROP CONSTRAINT users_signing_in_takes_a_password,
    ADD CONSTRAINT users_only_people_have_passwords CHECK (password_hash IS NULL OR NOT generator AND removed_at IS NULL);
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null for who signs in by an institution alone, and for generators and removed people, who cannot sign in.';
ALTER TABLE user_sessions ADD COLUMN shown_at timestamptz;
COMMENT ON COLUMN user_sessions.shown_at IS 'When the person last showed who they are; null: the institution did not say.';

-- +goose Down
ALTER TABLE user_sessions DROP COLUMN shown_at;
UPDATE users SET password_hash = '' WHERE password_hash IS NULL AND NOT generator AND removed_at IS NULL; -- which no password matches
ALTER TABLE users
    DROP CONSTRAINT users_only_people_have_passwords,
    ADD CONSTRAINT users_signing_in_takes_a_password CHECK ((password_hash IS NULL) = (generator OR removed_at IS NOT NULL));
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null for generators and removed people, who cannot sign in.';
DROP TABLE identities;
