-- A project is closed and opened again, deleted and restored, and in the end purged. What is closed or deleted does not change, whatever
-- program writes.

-- +goose Up
ALTER TABLE projects
    ADD COLUMN closed_at  timestamptz,
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN purged_at  timestamptz,
    ADD CONSTRAINT projects_purged_are_deleted CHECK (purged_at IS NULL OR deleted_at IS NOT NULL),
    DROP CONSTRAINT projects_slug_key;
CREATE UNIQUE INDEX projects_slug_key ON projects (slug) WHERE purged_at IS NULL;
COMMENT ON COLUMN projects.closed_at IS 'Since when nobody works on it. All of it can be read.';
COMMENT ON COLUMN projects.deleted_at IS 'Since when it is not there for anybody but an admin who restores it.';
COMMENT ON COLUMN projects.purged_at IS 'When its files were given up, for good. The rows stay as the record of what was done; another project may have the slug.';

-- +goose StatementBegin
CREATE FUNCTION projects_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed text;
BEGIN
    IF current_setting('studio.purging', true) = 'on' THEN
        RETURN NULL;
    END IF;
    SELECT p.slug INTO closed FROM projects p
        WHERE (p.closed_at IS NOT NULL OR p.deleted_at IS NOT NULL) AND p.id IN (SELECT project_id FROM changed) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the project % is closed', closed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'projects_open', DETAIL = closed;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER classes_added AFTER INSERT ON classes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER classes_changed AFTER UPDATE ON classes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER images_added AFTER INSERT ON images REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER images_changed AFTER UPDATE ON images REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER tasks_added AFTER INSERT ON tasks REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER tasks_changed AFTER UPDATE ON tasks REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER versions_added AFTER INSERT ON versions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER versions_changed AFTER UPDATE ON versions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER rounds_added AFTER INSERT ON rounds REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER rounds_changed AFTER UPDATE ON rounds REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER uploads_added AFTER INSERT ON uploads REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER uploads_changed AFTER UPDATE ON uploads REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER label_verdicts_added AFTER INSERT ON label_verdicts REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER label_verdicts_changed AFTER UPDATE ON label_verdicts REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open();
CREATE TRIGGER jobs_added AFTER INSERT ON jobs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION projects_open(); -- those there are may end

-- +goose Down
DROP TRIGGER classes_added ON classes;
DROP TRIGGER classes_changed ON classes;
DROP TRIGGER images_added ON images;
DROP TRIGGER images_changed ON images;
DROP TRIGGER tasks_added ON tasks;
DROP TRIGGER tasks_changed ON tasks;
DROP TRIGGER versions_added ON versions;
DROP TRIGGER versions_changed ON versions;
DROP TRIGGER rounds_added ON rounds;
DROP TRIGGER rounds_changed ON rounds;
DROP TRIGGER uploads_added ON uploads;
DROP TRIGGER uploads_changed ON uploads;
DROP TRIGGER label_verdicts_added ON label_verdicts;
DROP TRIGGER label_verdicts_changed ON label_verdicts;
DROP TRIGGER jobs_added ON jobs;
DROP FUNCTION projects_open;
DROP INDEX projects_slug_key;
UPDATE projects SET slug = slug || '-' || id WHERE purged_at IS NOT NULL;
ALTER TABLE projects
    DROP CONSTRAINT projects_purged_are_deleted,
    DROP COLUMN closed_at, DROP COLUMN deleted_at, DROP COLUMN purged_at,
    ADD CONSTRAINT projects_slug_key UNIQUE (slug);
