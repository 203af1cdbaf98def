-- +goose Up
CREATE TABLE predictions (
    version_id    bigint NOT NULL,
    image_id      bigint NOT NULL REFERENCES images,
    class         integer NOT NULL CHECK (class >= 0),
    confidence    real NOT NULL CHECK (confidence >= 0 AND confidence <= 1.0001),
    correct       boolean NOT NULL,
    att_class     integer NOT NULL CHECK (att_class >= 0),
    top_classes   integer[] NOT NULL,
    top_values    real[] NOT NULL,
    probabilities bytea NOT NULL CHECK (octet_length(probabilities) % 4 = 0),
    map_height    integer NOT NULL,
    map_width     integer NOT NULL,
    map           bytea NOT NULL,
    PRIMARY KEY (version_id, image_id),
    CONSTRAINT predictions_grid FOREIGN KEY (version_id, map_height, map_width) REFERENCES versions (id, grid_height, grid_width),
    CONSTRAINT predictions_map_length CHECK (octet_length(map) = 4 * map_height * map_width),
    CONSTRAINT predictions_top_length CHECK (cardinality(top_classes) = cardinality(top_values))
);
CREATE INDEX predictions_image ON predictions (image_id);
COMMENT ON TABLE predictions IS 'What one version says of one image: each exactly once.';
COMMENT ON COLUMN predictions.probabilities IS 'Softmax of the perception branch: K little-endian float32.';
COMMENT ON COLUMN predictions.map IS 'The attention map, row by row: map_height·map_width little-endian float32 in [0,1].';

-- +goose Down
DROP TABLE predictions;
