-- +goose Up
CREATE TABLE edits (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id      bigint NOT NULL REFERENCES tasks,
    revision     integer NOT NULL CHECK (revision >= 1),
    author_id    bigint NOT NULL REFERENCES users,
    version_id   bigint NOT NULL,
    state        text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'submitted', 'approved', 'rejected')),
    source       text NOT NULL CHECK (source IN ('painted', 'model', 'generator')),
    map_height   integer NOT NULL,
    map_width    integer NOT NULL,
    map          bytea NOT NULL,
    provenance   json,
    before       json,
    after        json,
    created_at   timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz,
    judged_at    timestamptz,
    CONSTRAINT edits_revision_key UNIQUE (task_id, revision),
    CONSTRAINT edits_grid FOREIGN KEY (version_id, map_height, map_width) REFERENCES versions (id, grid_height, grid_width),
    CONSTRAINT edits_map_length CHECK (octet_length(map) = 4 * map_height * map_width),
    CONSTRAINT edits_submitted_when CHECK ((state = 'draft') = (submitted_at IS NULL)),
    CONSTRAINT edits_judged_when CHECK ((state IN ('approved', 'rejected')) = (judged_at IS NOT NULL))
);
CREATE UNIQUE INDEX edits_one_in_review ON edits (task_id) WHERE state = 'submitted';
CREATE UNIQUE INDEX edits_one_approved ON edits (task_id) WHERE state = 'approved';
CREATE INDEX edits_author ON edits (author_id);
COMMENT ON TABLE edits IS 'Immutable revisions of a person''s map for a task. Rows are only added; a row''s state moves on.';
COMMENT ON COLUMN edits.version_id IS 'The version whose map it started from.';
COMMENT ON COLUMN edits.before IS 'Scores with the model''s map, set at submission; after: with this one.';

-- +goose StatementBegin
CREATE FUNCTION edits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER edits_append_only BEFORE UPDATE OR DELETE ON edits
    FOR EACH ROW EXECUTE FUNCTION edits_append_only();
CREATE TRIGGER edits_no_truncate BEFORE TRUNCATE ON edits
    FOR EACH STATEMENT EXECUTE FUNCTION edits_append_only();

CREATE TABLE edit_histories (
    task_id  bigint PRIMARY KEY REFERENCES tasks,
    revision integer NOT NULL,
    history  json NOT NULL,
    FOREIGN KEY (task_id, revision) REFERENCES edits (task_id, revision),
    CONSTRAINT edit_histories_size CHECK (octet_length(history::text) <= 1048576)
);
COMMENT ON TABLE edit_histories IS 'The editor''s undo stack of a task''s latest revision. Each replaces the one before: it holds all strokes so far.';

-- +goose Down
DROP TABLE edit_histories, edits;
DROP FUNCTION edits_append_only;
