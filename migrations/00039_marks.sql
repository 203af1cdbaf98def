-- +goose Up
ALTER TABLE edits ADD COLUMN marks text NOT NULL DEFAULT ''
    CONSTRAINT edits_marks CHECK (marks = '' OR length(marks) = map_height * map_width AND marks ~ '^[.?x]+$' AND marks ~ '[?x]');
COMMENT ON COLUMN edits.marks IS 'A letter a cell of map, row by row: . it carries its value, ? the person does not know, x do not look here. Empty where nothing is marked.';

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

-- Rounds from before there were marks had none to weigh.
UPDATE rounds SET settings = '{"gamma_avoid": 0}'::jsonb || settings;

-- +goose Down
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
UPDATE rounds SET settings = settings - 'gamma_avoid';
ALTER TABLE edits DROP COLUMN marks;
