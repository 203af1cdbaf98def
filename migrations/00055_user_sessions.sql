-- Who is signed in, in which browser: what a person sees of their open sessions, and ends. The session of a browser (table sessions) names
-- a row of it, and is worth nothing once that is gone. Browsers that were signed in before sign in again.

-- +goose Up
CREATE TABLE user_sessions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    began_at   timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    browser    text NOT NULL,
    system     text NOT NULL,
    address    text NOT NULL,
    CONSTRAINT user_sessions_in_order CHECK (began_at <= seen_at AND began_at < expires_at)
);
CREATE INDEX user_sessions_user ON user_sessions (user_id);
CREATE INDEX user_sessions_expires ON user_sessions (expires_at);
COMMENT ON TABLE user_sessions IS 'Open sign-ins of browsers. A row goes when the sign-in ends; the trail keeps that it was there.';
COMMENT ON COLUMN user_sessions.seen_at IS 'To within ten minutes.';
COMMENT ON COLUMN user_sessions.address IS 'Of the sign-in, whole: it goes with the row. The trail has it shortened.';
DELETE FROM sessions;

-- The trail is read by person and by time, and words of sign-ins go with the person, as do those of tokens.
CREATE INDEX audit_actor ON audit (actor_id, id DESC);
CREATE INDEX audit_of_user ON audit (subject, id DESC) WHERE subject LIKE 'user %';
CREATE INDEX audit_at ON audit (at);
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('studio.purging', true) = 'on'
       AND (NEW.id, NEW.at, NEW.project_id, NEW.actor_id, NEW.action, NEW.subject)
           IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.project_id, OLD.actor_id, OLD.action, OLD.subject)
       AND (NEW.detail = OLD.detail OR NEW.detail = '' AND (NEW.action LIKE 'token.%' OR NEW.action LIKE 'session.%')) THEN
        RETURN NEW; -- a removed person's name goes, what they called their tokens, and where they signed in
    END IF;
    RAISE EXCEPTION 'the audit trail is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

-- +goose Down
DELETE FROM sessions;
DROP TABLE user_sessions;
DROP INDEX audit_actor;
DROP INDEX audit_of_user;
DROP INDEX audit_at;
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
