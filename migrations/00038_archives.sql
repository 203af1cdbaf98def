-- A project comes from another studio as an archive: its people by name, and its judgements as they were made there.

-- +goose Up
ALTER TABLE users
    ADD COLUMN came_as text NOT NULL DEFAULT '',
    ADD CONSTRAINT users_came_by_name CHECK (came_as = '' OR generator);
CREATE UNIQUE INDEX users_came_as ON users (lower(came_as)) WHERE came_as <> '';
COMMENT ON COLUMN users.came_as IS 'The address of somebody who came with a project''s archive and has no account here: the next archive finds them by it.';

-- Versions and rounds name each other, so the rows of one come before those of the other.
ALTER TABLE versions ALTER CONSTRAINT versions_round_fk DEFERRABLE INITIALLY IMMEDIATE;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged edits;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.taken_back_at IS NOT NULL OR NEW.taken_back_at IS NULL
           OR (NEW.id, NEW.edit_id, NEW.reviewer_id, NEW.verdict, NEW.comment, NEW.created_at)
              IS DISTINCT FROM (OLD.id, OLD.edit_id, OLD.reviewer_id, OLD.verdict, OLD.comment, OLD.created_at) THEN
            RAISE EXCEPTION 'review % cannot be changed: it can be taken back once', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
        END IF;
        IF EXISTS (SELECT FROM round_edits x JOIN rounds r ON r.id = x.round_id
                   WHERE x.edit_id = OLD.edit_id AND r.state NOT IN ('cancelled', 'failed')) THEN
            RAISE EXCEPTION 'a round learns from edit %', OLD.edit_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_used';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'reviews are only added'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
    END IF;
    SELECT * INTO judged FROM edits WHERE id = NEW.edit_id FOR UPDATE;
    IF current_setting('studio.unpacking', true) = 'on' THEN -- judged where it comes from: what follows was asked there, and its author is looked at still
        IF NEW.reviewer_id = judged.author_id THEN
            RAISE EXCEPTION 'edit % is judged by its author', judged.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
        END IF;
        RETURN NEW;
    END IF;
    IF judged.state <> 'submitted' THEN
        RAISE EXCEPTION 'edit % is %, not submitted', judged.id, judged.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_of_submitted';
    END IF;
    IF NEW.reviewer_id = ANY (task_drawn_by(judged.task_id)) THEN
        RAISE EXCEPTION 'user % drew a revision of task % since its last verdict and cannot review edit %', NEW.reviewer_id, judged.task_id, judged.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
    END IF;
    IF NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND role IN ('reviewer', 'admin') AND NOT disabled) THEN
        RAISE EXCEPTION 'user % is no reviewer', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_by_reviewer';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged edits;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.taken_back_at IS NOT NULL OR NEW.taken_back_at IS NULL
           OR (NEW.id, NEW.edit_id, NEW.reviewer_id, NEW.verdict, NEW.comment, NEW.created_at)
              IS DISTINCT FROM (OLD.id, OLD.edit_id, OLD.reviewer_id, OLD.verdict, OLD.comment, OLD.created_at) THEN
            RAISE EXCEPTION 'review % cannot be changed: it can be taken back once', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
        END IF;
        IF EXISTS (SELECT FROM round_edits x JOIN rounds r ON r.id = x.round_id
                   WHERE x.edit_id = OLD.edit_id AND r.state NOT IN ('cancelled', 'failed')) THEN
            RAISE EXCEPTION 'a round learns from edit %', OLD.edit_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_used';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'reviews are only added'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_append_only';
    END IF;
    SELECT * INTO judged FROM edits WHERE id = NEW.edit_id FOR UPDATE;
    IF judged.state <> 'submitted' THEN
        RAISE EXCEPTION 'edit % is %, not submitted', judged.id, judged.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_of_submitted';
    END IF;
    IF NEW.reviewer_id = ANY (task_drawn_by(judged.task_id)) THEN
        RAISE EXCEPTION 'user % drew a revision of task % since its last verdict and cannot review edit %', NEW.reviewer_id, judged.task_id, judged.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
    END IF;
    IF NOT EXISTS (SELECT FROM users WHERE id = NEW.reviewer_id AND role IN ('reviewer', 'admin') AND NOT disabled) THEN
        RAISE EXCEPTION 'user % is no reviewer', NEW.reviewer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_by_reviewer';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
ALTER TABLE versions ALTER CONSTRAINT versions_round_fk NOT DEFERRABLE;
DROP INDEX users_came_as;
ALTER TABLE users DROP CONSTRAINT users_came_by_name, DROP COLUMN came_as;
