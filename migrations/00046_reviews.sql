-- What waits for review is held by one reviewer at a time, as a task by its painter: two do not judge the same map. Who
-- has it may correct it: their revision takes its place and is approved, and names the one that was painted.

-- +goose Up
ALTER TABLE tasks
    ADD COLUMN reviewer_id bigint REFERENCES users,
    DROP CONSTRAINT tasks_lease_of_leased,
    ADD CONSTRAINT tasks_lease_of_holder CHECK ((state = 'leased' OR reviewer_id IS NOT NULL) = (lease_expires_at IS NOT NULL)),
    ADD CONSTRAINT tasks_reviewer_of_submitted CHECK (reviewer_id IS NULL OR state = 'submitted');
CREATE INDEX tasks_reviewer ON tasks (reviewer_id) WHERE reviewer_id IS NOT NULL;
COMMENT ON COLUMN tasks.reviewer_id IS 'Who has it to judge, until lease_expires_at, while it is in review.';


ALTER TABLE edits
    ADD COLUMN corrects integer CONSTRAINT edits_corrects_earlier CHECK (corrects < revision),
    ADD CONSTRAINT edits_corrects_fk FOREIGN KEY (task_id, corrects) REFERENCES edits (task_id, revision),
    DROP CONSTRAINT edits_state_check,
    ADD CONSTRAINT edits_state_check CHECK (state IN ('draft', 'submitted', 'approved', 'rejected', 'taken-back', 'corrected'));
COMMENT ON COLUMN edits.corrects IS 'The painter''s revision that a reviewer corrected with this one; null for a painter''s own.';

ALTER TABLE reviews
    ADD COLUMN reasons text[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT reviews_rejection_says_why,
    ADD CONSTRAINT reviews_rejection_says_why CHECK (verdict <> 'reject' OR btrim(comment) <> '' OR reasons <> '{}');
COMMENT ON COLUMN reviews.reasons IS 'What is wrong with the map, in words of annotator.Reasons.';

ALTER TABLE projects ADD COLUMN second_reviewer boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN projects.second_reviewer IS 'A map that its reviewer corrected waits for another reviewer, in place of being approved with that.';
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius))
    EXECUTE FUNCTION projects_stay();

-- +goose StatementBegin
CREATE FUNCTION task_painted_by(task bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT e.author_id ORDER BY e.author_id), '{}') FROM edits e
    WHERE e.task_id = task AND e.corrects IS NULL
        AND (e.revision > coalesce((SELECT max(j.revision) FROM edits j WHERE j.task_id = task AND j.state IN ('approved', 'rejected')), 0)
             OR e.map = (SELECT s.map FROM edits s WHERE s.task_id = task AND s.state = 'submitted'))
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION task_painted_by IS 'Those of task_drawn_by who painted, and did not only correct as reviewers: they do not correct what is to be judged either. annotator.TaskCard.MayCorrect is the rule.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'edits are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF (NEW.id, NEW.task_id, NEW.revision, NEW.author_id, NEW.version_id, NEW.source, NEW.map_height, NEW.map_width,
        NEW.map, NEW.marks, NEW.provenance::text, NEW.created_at, NEW.corrects)
       IS DISTINCT FROM
       (OLD.id, OLD.task_id, OLD.revision, OLD.author_id, OLD.version_id, OLD.source, OLD.map_height, OLD.map_width,
        OLD.map, OLD.marks, OLD.provenance::text, OLD.created_at, OLD.corrects)
       OR (OLD.submitted_at IS NOT NULL AND
           (NEW.submitted_at, NEW.before::text, NEW.after::text) IS DISTINCT FROM (OLD.submitted_at, OLD.before::text, OLD.after::text)) THEN
        RAISE EXCEPTION 'edit % cannot be changed: add a revision', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'draft' AND NEW.state = 'submitted')
            OR (OLD.state = 'submitted' AND NEW.state IN ('approved', 'rejected', 'taken-back', 'corrected'))
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

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM edits WHERE corrects IS NOT NULL) THEN
        RAISE EXCEPTION 'a map was corrected by its reviewer, which the schema before cannot hold';
    END IF;
END $$;
-- +goose StatementEnd
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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION edits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'edits are only added, never removed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_append_only';
    END IF;
    IF (NEW.id, NEW.task_id, NEW.revision, NEW.author_id, NEW.version_id, NEW.source, NEW.map_height, NEW.map_width,
        NEW.map, NEW.marks, NEW.provenance::text, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.task_id, OLD.revision, OLD.author_id, OLD.version_id, OLD.source, OLD.map_height, OLD.map_width,
        OLD.map, OLD.marks, OLD.provenance::text, OLD.created_at)
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

DROP FUNCTION task_painted_by;
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.start_method, OLD.start_radius) IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.start_method, NEW.start_radius))
    EXECUTE FUNCTION projects_stay();
ALTER TABLE projects DROP COLUMN second_reviewer;
ALTER TABLE reviews DISABLE TRIGGER reviews_check;
UPDATE reviews SET comment = array_to_string(reasons, ', ') WHERE verdict = 'reject' AND btrim(comment) = '';
ALTER TABLE reviews
    DROP CONSTRAINT reviews_rejection_says_why,
    ADD CONSTRAINT reviews_rejection_says_why CHECK (verdict <> 'reject' OR btrim(comment) <> ''),
    DROP COLUMN reasons;
ALTER TABLE reviews ENABLE TRIGGER reviews_check;
ALTER TABLE edits
    DROP CONSTRAINT edits_state_check,
    ADD CONSTRAINT edits_state_check CHECK (state IN ('draft', 'submitted', 'approved', 'rejected', 'taken-back')),
    DROP COLUMN corrects;

UPDATE tasks SET reviewer_id = NULL, lease_expires_at = NULL WHERE reviewer_id IS NOT NULL;
DROP INDEX tasks_reviewer;
ALTER TABLE tasks
    DROP CONSTRAINT tasks_reviewer_of_submitted,
    DROP CONSTRAINT tasks_lease_of_holder,
    ADD CONSTRAINT tasks_lease_of_leased CHECK ((state = 'leased') = (lease_expires_at IS NOT NULL)),
    DROP COLUMN reviewer_id;
