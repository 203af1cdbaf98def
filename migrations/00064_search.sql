-- What a million images need. A part of a name is looked for in all names of a project, which takes seconds with a million. An index of
-- their trigrams finds those that can have it. The extension comes with PostgreSQL and may be made by whoever may create in the database;
-- where it is missing, or may not be made, searches stay as slow as they were (docs/deployment.md).

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE home text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm');
BEGIN
    IF home IS NULL THEN
        home := 'trigrams'; -- not the studio's schema, which a restore takes away
        CREATE SCHEMA IF NOT EXISTS trigrams;
        CREATE EXTENSION pg_trgm SCHEMA trigrams;
    END IF;
    EXECUTE format('CREATE INDEX images_name_parts ON images USING gin (name %I.gin_trgm_ops)', home);
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object THEN
    RAISE NOTICE 'names have no index of their parts: %', SQLERRM;
END $$;
-- +goose StatementEnd

-- Which images a round does without is counted for its page: those that are apart are few, all others are in image_tallies.
CREATE INDEX images_apart ON images (project_id) WHERE broken <> '' OR left_out <> '{}';

-- At the end of a scan the tasks of all images are made, a step at a time where they are many.
ALTER TABLE jobs ADD COLUMN tasks_until bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.tasks_until IS 'Of a scan whose chunks are done: the last image whose task is as its version says.';

-- +goose Down
ALTER TABLE jobs DROP COLUMN tasks_until;
DROP INDEX images_apart;
DROP INDEX IF EXISTS images_name_parts;
