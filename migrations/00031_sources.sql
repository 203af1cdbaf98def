-- A project may have images of several sources, which may have the same names. An import of a source that is there already finds
-- what has changed in it: other bytes under a name are another image, and the one before is retired, as is one that is gone.

-- +goose Up
ALTER TABLE images
    ADD COLUMN source      text NOT NULL DEFAULT 'main' CHECK (source <> ''),
    ADD COLUMN retired_at  timestamptz,
    ADD COLUMN retired_why text NOT NULL DEFAULT '' CHECK (retired_why IN ('', 'replaced', 'gone')),
    ADD CONSTRAINT images_retired_why CHECK ((retired_at IS NULL) = (retired_why = '')),
    DROP CONSTRAINT images_name_key;
ALTER TABLE images ALTER COLUMN source DROP DEFAULT;
CREATE UNIQUE INDEX images_name_key ON images (project_id, source, name) WHERE retired_at IS NULL;
CREATE INDEX images_retired ON images (project_id, source, name, id) WHERE retired_at IS NOT NULL;
COMMENT ON COLUMN images.source IS 'The data set it came in with; names are unique within it.';
COMMENT ON COLUMN images.retired_at IS 'When an import found other bytes under its name, or nothing. The row stays: edits, predictions and rounds refer to it.';
ALTER TABLE jobs ADD COLUMN report jsonb;
COMMENT ON COLUMN jobs.report IS 'What an import found and did: counts, and the first names of each kind.';

-- +goose Down
ALTER TABLE jobs DROP COLUMN report;
DROP INDEX images_retired, images_name_key;
ALTER TABLE images
    DROP COLUMN source, DROP COLUMN retired_at, DROP COLUMN retired_why,
    ADD CONSTRAINT images_name_key UNIQUE (project_id, name);
