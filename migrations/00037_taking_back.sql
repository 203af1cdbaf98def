-- What somebody submitted is taken back until it is judged, and a verdict until a round has used it. Either stays in the history.

-- +goose Up
ALTER TABLE edits DROP CONSTRAINT edits_state_check,
    ADD CONSTRAINT edits_state_check CHECK (state IN ('draft', 'submitted', 'approved', 'rejected', 'taken-back'));

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'edits are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF (NEW.id, NEW.task_id, NEW.revision, NEW.author_id, NEW.version_id, NEW.source, NEW.map_height, NEW.map_width,
        NEW.map, NEW.provenance::text, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.task_id, OLD.revision, OLD.author_id, OLD.version_id, OLD.source, OLD.map_height, OLD.map_width,
        OLD.map, OLD.provenance::text, OLD.created_at)
       OR (OLD.submitted_at IS NOT NULL AND
           (NEW.submitted_at, NEW.before::text, NEW.after::text) IS DISTINCT FROM (OLD.submitted_at, OLD.before::text, OLD.after::text)) THEN
        RAISE EXCEPTION 'edit % cannot be changed: add a revision', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'draft' AND NEW.state = 'submitted')
            OR (OLD.state = 'submitted' AND NEW.state IN ('approved', 'rejected', 'taken-back'))
            OR (OLD.state IN ('approved', 'rejected') AND NEW.state = 'submitted')) THEN
        RAISE EXCEPTION 'edit % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_state_order';
    END IF;
    IF OLD.state IN ('approved', 'rejected') AND NEW.state = 'submitted'
       AND EXISTS (SELECT FROM reviews WHERE edit_id = NEW.id AND taken_back_at IS NULL) THEN
        RAISE EXCEPTION 'the verdict on edit % is not taken back', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

ALTER TABLE reviews
    ADD COLUMN taken_back_at timestamptz,
    ADD COLUMN taken_back_by bigint REFERENCES users,
    ADD CONSTRAINT reviews_taken_back_by CHECK ((taken_back_at IS NULL) = (taken_back_by IS NULL)),
    DROP CONSTRAINT reviews_one_per_edit;
CREATE UNIQUE INDEX reviews_one_per_edit ON reviews (edit_id) WHERE taken_back_at IS NULL;
CREATE INDEX reviews_edit ON reviews (edit_id);
COMMENT ON COLUMN reviews.taken_back_at IS 'The verdict counts for nothing since then; its edit waits for another one.';

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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_judged_by_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM edits WHERE id = NEW.id AND state = NEW.state) THEN
        RETURN NULL; -- it has gone on in the same transaction
    END IF;
    IF NOT EXISTS (SELECT FROM reviews WHERE edit_id = NEW.id AND taken_back_at IS NULL
                   AND verdict = CASE NEW.state WHEN 'approved' THEN 'approve' ELSE 'reject' END) THEN
        RAISE EXCEPTION 'edit % is % without such a review', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NULL;
END $$;

-- A verdict is not taken back from under an edit that stays judged.
CREATE FUNCTION reviews_taken_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM edits e WHERE e.id = NEW.edit_id AND e.state IN ('approved', 'rejected')
               AND NOT EXISTS (SELECT FROM reviews r WHERE r.edit_id = e.id AND r.taken_back_at IS NULL)) THEN
        RAISE EXCEPTION 'edit % is judged, and its verdict is taken back', NEW.edit_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER reviews_taken_back AFTER UPDATE ON reviews
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reviews_taken_back();

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM reviews WHERE taken_back_at IS NOT NULL) OR EXISTS (SELECT FROM edits WHERE state = 'taken-back') THEN
        RAISE EXCEPTION 'something was taken back, which the schema before cannot hold';
    END IF;
END $$;
-- +goose StatementEnd
DROP TRIGGER reviews_taken_back ON reviews;
DROP FUNCTION reviews_taken_back;
DROP INDEX reviews_edit, reviews_one_per_edit;
ALTER TABLE reviews DROP COLUMN taken_back_at, DROP COLUMN taken_back_by, ADD CONSTRAINT reviews_one_per_edit UNIQUE (edit_id);
ALTER TABLE edits DROP CONSTRAINT edits_state_check,
    ADD CONSTRAINT edits_state_check CHECK (state IN ('draft', 'submitted', 'approved', 'rejected'));

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'edits are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF (NEW.id, NEW.task_id, NEW.revision, NEW.author_id, NEW.version_id, NEW.source, NEW.map_height, NEW.map_width,
        NEW.map, NEW.provenance::text, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.task_id, OLD.revision, OLD.author_id, OLD.version_id, OLD.source, OLD.map_height, OLD.map_width,
        OLD.map, OLD.provenance::text, OLD.created_at)
       OR (OLD.submitted_at IS NOT NULL AND
           (NEW.submitted_at, NEW.before::text, NEW.after::text) IS DISTINCT FROM (OLD.submitted_at, OLD.before::text, OLD.after::text)) THEN
        RAISE EXCEPTION 'edit % cannot be changed: add a revision', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'draft' AND NEW.state = 'submitted')
            OR (OLD.state = 'submitted' AND NEW.state IN ('approved', 'rejected'))) THEN
        RAISE EXCEPTION 'edit % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_state_order';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION reviews_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged edits;
BEGIN
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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_judged_by_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reviews WHERE edit_id = NEW.id
                   AND verdict = CASE NEW.state WHEN 'approved' THEN 'approve' ELSE 'reject' END) THEN
        RAISE EXCEPTION 'edit % is % without such a review', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_judged_by_review';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
