-- How many tasks and images a project has is on every page: counting a million rows takes a second. Whoever changes tasks or images writes
-- down what that changes of the counts, as rows of their own, so that nobody waits for another's count; now and then they are added up.

-- +goose Up
CREATE TABLE task_tallies (
    project_id bigint   NOT NULL REFERENCES projects,
    state      text     NOT NULL,
    label      integer  NOT NULL,
    predicted  integer  NOT NULL,
    tenth      smallint NOT NULL,
    sole       boolean  NOT NULL,
    n          bigint   NOT NULL,
    fresh      boolean  NOT NULL DEFAULT true
);
CREATE INDEX task_tallies_project ON task_tallies (project_id, state, label, predicted);
CREATE INDEX task_tallies_fresh ON task_tallies (project_id) WHERE fresh;
COMMENT ON TABLE task_tallies IS 'The tasks of a project by state, label, answer and confidence: the sum of n over the rows that agree in them. Written by triggers of tasks, added up by postgres.Store.FoldTallies.';
COMMENT ON COLUMN task_tallies.tenth IS 'Of the confidence: 0 up to 0.1, …, 9 from 0.9 on.';
COMMENT ON COLUMN task_tallies.sole IS 'Tasks of an image that one person paints, or what was adopted of several (slot 0).';
COMMENT ON COLUMN task_tallies.fresh IS 'Not added up yet.';

CREATE TABLE image_tallies (
    project_id bigint  NOT NULL REFERENCES projects,
    split      text    NOT NULL,
    label      integer NOT NULL,
    n          bigint  NOT NULL,
    fresh      boolean NOT NULL DEFAULT true
);
CREATE INDEX image_tallies_project ON image_tallies (project_id, split, label);
CREATE INDEX image_tallies_fresh ON image_tallies (project_id) WHERE fresh;
COMMENT ON TABLE image_tallies IS 'The images of a project that are in use, by split and label, as task_tallies has tasks; label -1: none.';

INSERT INTO task_tallies (project_id, state, label, predicted, tenth, sole, n, fresh)
    SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)), slot = 0, count(*), false FROM tasks GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO image_tallies (project_id, split, label, n, fresh)
    SELECT project_id, split, coalesce(label, -1), count(*), false FROM images WHERE retired_at IS NULL GROUP BY 1, 2, 3;

-- The tasks of one confusion, the most confident first.
CREATE INDEX tasks_confusion ON tasks (project_id, label, predicted, confidence DESC, id);

-- +goose StatementBegin
CREATE FUNCTION tasks_tallied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO task_tallies (project_id, state, label, predicted, tenth, sole, n)
        SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)), slot = 0, count(*) FROM is_now GROUP BY 1, 2, 3, 4, 5, 6;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO task_tallies (project_id, state, label, predicted, tenth, sole, n)
        SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)), slot = 0, -count(*) FROM was GROUP BY 1, 2, 3, 4, 5, 6;
    ELSE
        INSERT INTO task_tallies (project_id, state, label, predicted, tenth, sole, n)
        SELECT project_id, state, label, predicted, tenth, sole, sum(d) FROM (
            SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)) AS tenth, slot = 0 AS sole, 1 AS d FROM is_now
            UNION ALL SELECT project_id, state, label, predicted, least(9, greatest(0, floor(confidence * 10)::int)), slot = 0, -1 FROM was) x
        GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(d) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION images_tallied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO image_tallies (project_id, split, label, n)
        SELECT project_id, split, coalesce(label, -1), count(*) FROM is_now WHERE retired_at IS NULL GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO image_tallies (project_id, split, label, n)
        SELECT project_id, split, coalesce(label, -1), -count(*) FROM was WHERE retired_at IS NULL GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO image_tallies (project_id, split, label, n)
        SELECT project_id, split, label, sum(d) FROM (
            SELECT project_id, split, coalesce(label, -1) AS label, 1 AS d FROM is_now WHERE retired_at IS NULL
            UNION ALL SELECT project_id, split, coalesce(label, -1), -1 FROM was WHERE retired_at IS NULL) x
        GROUP BY 1, 2, 3 HAVING sum(d) <> 0;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tasks_tallied_new AFTER INSERT ON tasks REFERENCING NEW TABLE AS is_now FOR EACH STATEMENT EXECUTE FUNCTION tasks_tallied();
CREATE TRIGGER tasks_tallied_gone AFTER DELETE ON tasks REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION tasks_tallied();
CREATE TRIGGER tasks_tallied_changed AFTER UPDATE ON tasks REFERENCING OLD TABLE AS was NEW TABLE AS is_now FOR EACH STATEMENT EXECUTE FUNCTION tasks_tallied();
CREATE TRIGGER images_tallied_new AFTER INSERT ON images REFERENCING NEW TABLE AS is_now FOR EACH STATEMENT EXECUTE FUNCTION images_tallied();
CREATE TRIGGER images_tallied_gone AFTER DELETE ON images REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION images_tallied();
CREATE TRIGGER images_tallied_changed AFTER UPDATE ON images REFERENCING OLD TABLE AS was NEW TABLE AS is_now FOR EACH STATEMENT EXECUTE FUNCTION images_tallied();

-- +goose Down
DROP TRIGGER tasks_tallied_new ON tasks;
DROP TRIGGER tasks_tallied_gone ON tasks;
DROP TRIGGER tasks_tallied_changed ON tasks;
DROP TRIGGER images_tallied_new ON images;
DROP TRIGGER images_tallied_gone ON images;
DROP TRIGGER images_tallied_changed ON images;
DROP INDEX tasks_confusion;
DROP FUNCTION tasks_tallied, images_tallied;
DROP TABLE task_tallies, image_tallies;
