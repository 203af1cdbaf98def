-- Pictures that look like one of another split make a measure too good. Each image has a fingerprint of what it looks like, and a
-- held-out one can be left out of measures.

-- +goose Up
ALTER TABLE images
    ADD COLUMN fingerprint bigint,
    ADD COLUMN left_out_at timestamptz;
CREATE INDEX images_without_fingerprint ON images (id) WHERE fingerprint IS NULL AND broken = '' AND retired_at IS NULL;
CREATE INDEX images_left_out ON images (project_id) WHERE left_out_at IS NOT NULL;
COMMENT ON COLUMN images.fingerprint IS 'A perceptual hash (internal/fingerprint), as the signed integer of its 64 bits; 0 of a picture with nothing to go by, null until a worker has looked.';
COMMENT ON COLUMN images.left_out_at IS 'When somebody left it out of measures, while it is in a held-out split. Null: it is measured on.';

-- +goose Down
DROP INDEX images_left_out, images_without_fingerprint;
ALTER TABLE images DROP COLUMN fingerprint, DROP COLUMN left_out_at;
