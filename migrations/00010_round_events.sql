-- +goose Up
CREATE TABLE round_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_id bigint NOT NULL REFERENCES rounds,
    kind     text NOT NULL CHECK (kind IN ('point', 'round')),
    arm      text CHECK (arm IN ('candidate', 'control')),
    step     integer,
    body     json,
    CONSTRAINT round_events_point CHECK ((kind = 'point') = (arm IS NOT NULL AND step IS NOT NULL AND body IS NOT NULL))
);
CREATE INDEX round_events_order ON round_events (round_id, id);
CREATE UNIQUE INDEX round_events_one_point ON round_events (round_id, arm, step) WHERE kind = 'point';
CREATE UNIQUE INDEX round_events_one_round ON round_events (round_id) WHERE kind = 'round';
COMMENT ON TABLE round_events IS 'What a round''s page is told: points of the loss curves, and one row that says the round itself changed (it is replaced, so that its id is always the newest).';

-- +goose StatementBegin
CREATE FUNCTION round_events_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('round_events', id::text) FROM (SELECT DISTINCT round_id AS id FROM added) AS r;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER round_events_wake AFTER INSERT ON round_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION round_events_wake();

-- +goose Down
DROP TABLE round_events;
DROP FUNCTION round_events_wake;
