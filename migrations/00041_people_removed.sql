-- A person is removed: their account ends for good and a pseudonym takes the place of their name. What they did stays, under the same
-- number.

-- +goose Up
ALTER TABLE users
    ADD COLUMN removed_at timestamptz,
    DROP CONSTRAINT users_generator_has_no_password,
    ADD CONSTRAINT users_signing_in_takes_a_password CHECK ((password_hash IS NULL) = (generator OR removed_at IS NOT NULL)),
    ADD CONSTRAINT users_removed_are_disabled CHECK (removed_at IS NULL OR disabled);
COMMENT ON COLUMN users.removed_at IS 'When name and address were replaced, for good. The row stays, since what the person did refers to it.';
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null for generators and removed people, who cannot sign in.';

-- What a person is called in a row that is added: as the writer says, or by the pseudonym if they have been removed since the writer read
-- their name. The lock makes it wait for a removal that is under way.
-- +goose StatementBegin
CREATE FUNCTION users_called(person bigint, said text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    u users;
BEGIN
    SELECT * INTO u FROM users WHERE id = person FOR KEY SHARE;
    RETURN CASE WHEN u.removed_at IS NULL THEN said ELSE u.name END;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_called() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.actor := users_called(NEW.actor_id, NEW.actor);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_called BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_called();
-- +goose StatementBegin
CREATE FUNCTION rounds_called() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.started_by_name := users_called(NEW.started_by, NEW.started_by_name);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER rounds_called BEFORE INSERT ON rounds FOR EACH ROW EXECUTE FUNCTION rounds_called();
-- +goose StatementBegin
CREATE FUNCTION uploads_called() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.uploaded_by_name := users_called(NEW.uploaded_by, NEW.uploaded_by_name);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER uploads_called BEFORE INSERT ON uploads FOR EACH ROW EXECUTE FUNCTION uploads_called();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('studio.purging', true) = 'on'
       AND (NEW.id, NEW.at, NEW.project_id, NEW.actor_id, NEW.action, NEW.subject)
           IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.project_id, OLD.actor_id, OLD.action, OLD.subject)
       AND (NEW.detail = OLD.detail OR NEW.detail = '' AND NEW.action LIKE 'token.%') THEN
        RETURN NEW; -- a removed person's name goes, and what they called their tokens
    END IF;
    RAISE EXCEPTION 'the audit trail is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd
DROP TRIGGER audit_called ON audit;
DROP TRIGGER rounds_called ON rounds;
DROP TRIGGER uploads_called ON uploads;
DROP FUNCTION audit_called, rounds_called, uploads_called, users_called;
ALTER TABLE users
    DROP CONSTRAINT users_signing_in_takes_a_password,
    DROP CONSTRAINT users_removed_are_disabled;
UPDATE users SET generator = true WHERE removed_at IS NOT NULL; -- they cannot sign in there either
ALTER TABLE users
    DROP COLUMN removed_at,
    ADD CONSTRAINT users_generator_has_no_password CHECK (generator = (password_hash IS NULL));
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC form; null for generators, who cannot sign in.';
