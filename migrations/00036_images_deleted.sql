-- A person may delete an image, and put it back. Once it is purged its bytes are gone; the row stays, since edits, predictions and rounds
-- refer to it.

-- +goose Up
ALTER TABLE images
    ADD COLUMN purged_at timestamptz,
    DROP CONSTRAINT images_retired_why_check,
    ADD CONSTRAINT images_retired_why_check CHECK (retired_why IN ('', 'replaced', 'gone', 'deleted')),
    ADD CONSTRAINT images_purged_are_retired CHECK (purged_at IS NULL OR retired_at IS NOT NULL);
CREATE INDEX images_by_hash ON images (hash);
CREATE INDEX images_by_mask ON images (mask_hash) WHERE mask_hash <> '';
CREATE INDEX audit_subject ON audit (project_id, subject, id DESC);
COMMENT ON COLUMN images.purged_at IS 'When its bytes were given up. Its hash stays: the same file is not taken in again by an import.';

-- +goose Down
DROP INDEX audit_subject, images_by_mask, images_by_hash;
ALTER TABLE images
    DROP CONSTRAINT images_purged_are_retired,
    DROP CONSTRAINT images_retired_why_check,
    DROP COLUMN purged_at;
UPDATE images SET retired_why = 'gone' WHERE retired_why = 'deleted';
ALTER TABLE images ADD CONSTRAINT images_retired_why_check CHECK (retired_why IN ('', 'replaced', 'gone'));
