-- +goose Up
CREATE TABLE scan_chunks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id           bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    image_ids        bigint[] NOT NULL CHECK (cardinality(image_ids) > 0),
    attempt          integer NOT NULL DEFAULT 0,
    claimed_by       text,
    lease_expires_at timestamptz,
    done_at          timestamptz,
    CONSTRAINT scan_chunks_lease CHECK ((claimed_by IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT scan_chunks_done_is_nobodys CHECK (done_at IS NULL OR claimed_by IS NULL)
);
CREATE INDEX scan_chunks_waiting ON scan_chunks (job_id, id) WHERE done_at IS NULL;
COMMENT ON TABLE scan_chunks IS 'Parts of a scan. A worker claims one for a few seconds at a time; one whose worker fell silent is claimed again under the next attempt.';

-- +goose Down
DROP TABLE scan_chunks;
