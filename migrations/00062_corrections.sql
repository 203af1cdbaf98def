-- A reviewer who corrects a map says what was wrong with it, as one who returns it does: the words belong to the painter's revision.

-- +goose Up
ALTER TABLE reviews
    DROP CONSTRAINT reviews_verdict_check,
    ADD CONSTRAINT reviews_verdict_check CHECK (verdict IN ('approve', 'reject', 'correct'));
COMMENT ON COLUMN reviews.verdict IS 'correct: whoever judged it changed the map themselves, and the next revision is theirs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged edits;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.taken_back_at IS NOT NULL OR NEW.taken_back_at IS NULL
           OR (NEW.id, NEW.edit_id, NEW.reviewer_id, NEW.verdict, NEW.comment, NEW.created_at, NEW.reasons)
              IS DISTINCT FROM (OLD.id, OLD.edit_id, OLD.reviewer_id, OLD.verdict, OLD.comment, OLD.created_at, OLD.reasons) THEN
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
        IF NEW.reviewer_id = judged.author_id AND judged.corrects IS NULL THEN
            RAISE EXCEPTION 'edit % is judged by its author', judged.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
        END IF;
        RETURN NEW;
    END IF;
    IF judged.state <> 'submitted' THEN
        RAISE EXCEPTION 'edit % is %, not submitted', judged.id, judged.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_of_submitted';
    END IF;
    IF NEW.reviewer_id = ANY (task_drawn_by(judged.task_id))
       AND NOT (judged.corrects IS NOT NULL AND judged.author_id = NEW.reviewer_id
                AND NOT NEW.reviewer_id = ANY (task_painted_by(judged.task_id))
                AND NEW.verdict = 'approve'
                AND EXISTS (SELECT FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.id = judged.task_id AND NOT p.second_reviewer))
       AND NOT (NEW.verdict = 'correct' AND NOT NEW.reviewer_id = ANY (task_painted_by(judged.task_id))) THEN
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
DO $$ BEGIN
    IF EXISTS (SELECT FROM reviews WHERE verdict = 'correct') THEN
        RAISE EXCEPTION 'a reviewer said something of a map that they corrected, which the schema before cannot hold';
    END IF;
END $$;
-- +goose StatementEnd
ALTER TABLE reviews
    DROP CONSTRAINT reviews_verdict_check,
    ADD CONSTRAINT reviews_verdict_check CHECK (verdict IN ('approve', 'reject'));
COMMENT ON COLUMN reviews.verdict IS NULL;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged edits;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.taken_back_at IS NOT NULL OR NEW.taken_back_at IS NULL
           OR (NEW.id, NEW.edit_id, NEW.reviewer_id, NEW.verdict, NEW.comment, NEW.created_at, NEW.reasons)
              IS DISTINCT FROM (OLD.id, OLD.edit_id, OLD.reviewer_id, OLD.verdict, OLD.comment, OLD.created_at, OLD.reasons) THEN
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
        IF NEW.reviewer_id = judged.author_id AND judged.corrects IS NULL THEN
            RAISE EXCEPTION 'edit % is judged by its author', judged.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_not_by_author';
        END IF;
        RETURN NEW;
    END IF;
    IF judged.state <> 'submitted' THEN
        RAISE EXCEPTION 'edit % is %, not submitted', judged.id, judged.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reviews_of_submitted';
    END IF;
    IF NEW.reviewer_id = ANY (task_drawn_by(judged.task_id))
       AND NOT (NEW.verdict = 'approve' AND judged.corrects IS NOT NULL AND judged.author_id = NEW.reviewer_id
                AND NOT NEW.reviewer_id = ANY (task_painted_by(judged.task_id))
                AND EXISTS (SELECT FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.id = judged.task_id AND NOT p.second_reviewer)) THEN
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
