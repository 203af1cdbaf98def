-- +goose Up
CREATE TABLE rounds (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id          bigint NOT NULL REFERENCES projects,
    number              integer NOT NULL CHECK (number >= 1),
    state               text NOT NULL DEFAULT 'queued'
                        CHECK (state IN ('queued', 'training', 'evaluating', 'finished', 'cancelled', 'failed')),
    settings            jsonb NOT NULL,
    parent_version      bigint NOT NULL REFERENCES versions,
    started_by          bigint REFERENCES users,
    started_by_name     text NOT NULL,
    idempotency_key     text,
    last_image_id       bigint NOT NULL,
    edits               integer NOT NULL CHECK (edits >= 1),
    images              integer NOT NULL CHECK (images >= 1),
    attempt             integer NOT NULL DEFAULT 0,
    progress            jsonb NOT NULL DEFAULT '{}',
    result              jsonb,
    error               text NOT NULL DEFAULT '',
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    cancel_requested_at timestamptz,
    finished_at         timestamptz,
    UNIQUE (project_id, number),
    CONSTRAINT rounds_idempotency UNIQUE (project_id, idempotency_key),
    CONSTRAINT rounds_queued_not_started CHECK (state <> 'queued' OR (started_at IS NULL AND attempt = 0)),
    CONSTRAINT rounds_running_started CHECK (state NOT IN ('training', 'evaluating', 'finished') OR started_at IS NOT NULL),
    CONSTRAINT rounds_over_when CHECK ((state IN ('finished', 'cancelled', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT rounds_result_of_finished CHECK ((state = 'finished') = (result IS NOT NULL)),
    CONSTRAINT rounds_error_of_failed CHECK ((state = 'failed') = (error <> ''))
);
CREATE UNIQUE INDEX rounds_one_running ON rounds (project_id) WHERE state IN ('queued', 'training', 'evaluating');
COMMENT ON TABLE rounds IS 'Fine-tunings: a candidate and its control, from one parent version.';
COMMENT ON COLUMN rounds.attempt IS 'Raised by every worker that takes the round; writes of an earlier attempt are refused.';
COMMENT ON COLUMN rounds.last_image_id IS 'The newest image when it was started: later ones do not join, so that a resumed round sees the same data.';

ALTER TABLE versions ADD CONSTRAINT versions_round_fk FOREIGN KEY (round_id) REFERENCES rounds;

-- +goose StatementBegin
CREATE FUNCTION rounds_state_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state = NEW.state
            OR (OLD.state = 'queued' AND NEW.state IN ('training', 'cancelled', 'failed'))
            OR (OLD.state = 'training' AND NEW.state IN ('evaluating', 'finished', 'cancelled', 'failed'))
            OR (OLD.state = 'evaluating' AND NEW.state IN ('training', 'finished', 'cancelled', 'failed'))) THEN
        RAISE EXCEPTION 'round % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'rounds_state_order';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER rounds_state_order BEFORE UPDATE OF state ON rounds
    FOR EACH ROW EXECUTE FUNCTION rounds_state_order();

CREATE TABLE round_edits (
    round_id bigint NOT NULL REFERENCES rounds,
    image_id bigint NOT NULL REFERENCES images,
    edit_id  bigint NOT NULL REFERENCES edits,
    PRIMARY KEY (round_id, image_id)
);
CREATE INDEX round_edits_edit ON round_edits (edit_id);
COMMENT ON TABLE round_edits IS 'The edits a round learns from: the latest approved one of each image when it was started.';

-- +goose Down
DROP TABLE round_edits;
ALTER TABLE versions DROP CONSTRAINT versions_round_fk;
DROP TABLE rounds;
DROP FUNCTION rounds_state_order;
