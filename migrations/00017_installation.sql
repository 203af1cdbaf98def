-- +goose Up
CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id  uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO installation DEFAULT VALUES;
COMMENT ON TABLE installation IS 'Which studio this is. A blob store bears its id, so that no other studio sweeps what this one refers to.';

-- +goose Down
DROP TABLE installation;
