-- +goose Up
CREATE TABLE versions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id     bigint NOT NULL REFERENCES projects,
    number         integer NOT NULL CHECK (number >= 1),
    parent_id      bigint REFERENCES versions,
    round_id       bigint CONSTRAINT versions_one_per_round UNIQUE,
    state          text NOT NULL CHECK (state IN ('candidate', 'active', 'archived')),
    model_hash     text NOT NULL CHECK (model_hash ~ '^[0-9a-f]{64}$'),
    extractor_hash text NOT NULL CHECK (extractor_hash ~ '^[0-9a-f]{64}$'),
    manifest       jsonb NOT NULL,
    grid_height    integer NOT NULL CHECK (grid_height BETWEEN 1 AND 512),
    grid_width     integer NOT NULL CHECK (grid_width BETWEEN 1 AND 512),
    gain           text NOT NULL CHECK (gain IN ('1+M', 'M')),
    parameters     bigint NOT NULL CHECK (parameters >= 0),
    bytes          bigint NOT NULL CHECK (bytes >= 0),
    learning_rate  double precision NOT NULL DEFAULT 0 CHECK (learning_rate >= 0),
    figures        jsonb NOT NULL DEFAULT '{}',
    scanned        integer NOT NULL DEFAULT 0 CHECK (scanned >= 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    activated_at   timestamptz,
    archived_at    timestamptz,
    UNIQUE (project_id, number),
    UNIQUE (id, grid_height, grid_width),
    CONSTRAINT versions_candidate_was_never_active CHECK ((state = 'candidate') = (activated_at IS NULL)),
    CONSTRAINT versions_archived_when CHECK ((state = 'archived') = (archived_at IS NOT NULL)),
    CONSTRAINT versions_round_has_parent CHECK (round_id IS NULL OR parent_id IS NOT NULL)
);
CREATE UNIQUE INDEX versions_one_active ON versions (project_id) WHERE state = 'active';
COMMENT ON TABLE versions IS 'Trained models of a project, imported or made by a round. Their files are blobs under model_hash.';
COMMENT ON COLUMN versions.learning_rate IS 'Peak learning rate that suits the network, what a round''s form starts with; 0: not known.';
COMMENT ON COLUMN versions.scanned IS 'How many predictions of this version there are, kept by those who write them.';

-- At most one is active by the index above; at least one, once there is any, by this trigger at commit.
-- +goose StatementBegin
CREATE FUNCTION versions_keep_one_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM versions WHERE project_id = NEW.project_id)
       AND NOT EXISTS (SELECT FROM versions WHERE project_id = NEW.project_id AND state = 'active') THEN
        RAISE EXCEPTION 'project % has versions but no active one', NEW.project_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'versions_one_active';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER versions_keep_one_active AFTER INSERT OR UPDATE OF state ON versions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION versions_keep_one_active();

-- What a version is never changes; only its state, figures and counters do.
-- +goose StatementBegin
CREATE FUNCTION versions_keep_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.project_id, NEW.number, NEW.parent_id, NEW.round_id, NEW.model_hash, NEW.extractor_hash, NEW.grid_height, NEW.grid_width)
       IS DISTINCT FROM
       (OLD.id, OLD.project_id, OLD.number, OLD.parent_id, OLD.round_id, OLD.model_hash, OLD.extractor_hash, OLD.grid_height, OLD.grid_width) THEN
        RAISE EXCEPTION 'version % cannot be changed: add another', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'versions_keep_content';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER versions_keep_content BEFORE UPDATE ON versions
    FOR EACH ROW EXECUTE FUNCTION versions_keep_content();

-- +goose Down
DROP TABLE versions;
DROP FUNCTION versions_keep_one_active, versions_keep_content;
