-- A round keeps what each of its networks answered to each image, and the loss curves of all its trainings.

-- +goose Up
CREATE TABLE round_rows (
    round_id bigint PRIMARY KEY REFERENCES rounds,
    images   jsonb NOT NULL,
    packed   bytea NOT NULL
);
ALTER TABLE round_rows ALTER COLUMN packed SET STORAGE EXTERNAL; -- it is compressed
COMMENT ON TABLE round_rows IS 'What a round''s networks answered to each image. All figures of the round follow from it.';
COMMENT ON COLUMN round_rows.images IS 'judged: the images that the round was judged on; shown: some that it fixed, broke or moved the map of, with answers and maps.';
COMMENT ON COLUMN round_rows.packed IS 'A row for each arm, seed and image: JSON Lines, as studio finetune --rows writes them, in gzip.';

DROP INDEX round_events_one_point;
ALTER TABLE round_events
    ADD COLUMN seed bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT round_events_arm_check,
    ADD CONSTRAINT round_events_arm_check CHECK (arm <> '');
COMMENT ON COLUMN round_events.seed IS 'Of a round with several, else 0.';
CREATE UNIQUE INDEX round_events_one_point ON round_events (round_id, arm, seed, step) WHERE kind = 'point';

-- +goose Down
DROP TABLE round_rows;
DROP INDEX round_events_one_point;
DELETE FROM round_events WHERE kind = 'point' AND (arm NOT IN ('candidate', 'control')
    OR seed <> (SELECT min(e.seed) FROM round_events e WHERE e.round_id = round_events.round_id AND e.kind = 'point'));
ALTER TABLE round_events
    DROP COLUMN seed,
    DROP CONSTRAINT round_events_arm_check,
    ADD CONSTRAINT round_events_arm_check CHECK (arm IN ('candidate', 'control'));
CREATE UNIQUE INDEX round_events_one_point ON round_events (round_id, arm, step) WHERE kind = 'point';
