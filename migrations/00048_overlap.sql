-- Some images are painted by several people who do not see each other's maps: each has a task of its own, in a slot. What the painters
-- agree on says how sure their maps are. A reviewer adopts the mean of the maps, or one of them; that alone is trained on.

-- +goose Up
ALTER TABLE projects
    ADD COLUMN overlap_share    integer NOT NULL DEFAULT 0 CONSTRAINT projects_overlap_share CHECK (overlap_share BETWEEN 0 AND 100),
    ADD COLUMN overlap_painters integer NOT NULL DEFAULT 2 CONSTRAINT projects_overlap_painters CHECK (overlap_painters BETWEEN 2 AND 5),
    ADD COLUMN overlap_seed     bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN projects.overlap_share IS 'Per cent of the images given out that several people paint; which ones is decided by a hash of overlap_seed and the image.';
COMMENT ON COLUMN projects.overlap_painters IS 'How many people paint such an image.';
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius, OLD.mix, OLD.overlap_share, OLD.overlap_painters, OLD.overlap_seed)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius, NEW.mix, NEW.overlap_share, NEW.overlap_painters, NEW.overlap_seed))
    EXECUTE FUNCTION projects_stay();

ALTER TABLE tasks
    ADD COLUMN slot       smallint NOT NULL DEFAULT 0 CONSTRAINT tasks_slot CHECK (slot BETWEEN 0 AND 5),
    ADD COLUMN painter_id bigint REFERENCES users,
    ADD CONSTRAINT tasks_painter_of_slot CHECK (painter_id IS NULL OR slot > 0),
    DROP CONSTRAINT tasks_one_per_version,
    ADD CONSTRAINT tasks_one_per_slot UNIQUE (version_id, image_id, slot);
CREATE UNIQUE INDEX tasks_slot_author ON tasks (image_id, author_id) WHERE slot > 0 AND author_id IS NOT NULL AND state <> 'skipped';
CREATE UNIQUE INDEX tasks_slot_painter ON tasks (image_id, painter_id) WHERE slot > 0 AND painter_id IS NOT NULL;
CREATE INDEX tasks_slots ON tasks (project_id, image_id, slot) WHERE slot > 0;
CREATE INDEX tasks_painter ON tasks (painter_id) WHERE painter_id IS NOT NULL;
COMMENT ON COLUMN tasks.slot IS '0: the image''s only task, or the one with what was adopted of several maps. 1 to 5: one of the maps that different people paint of the image.';
COMMENT ON COLUMN tasks.painter_id IS 'Who has drawn in a slot. Nobody else does.';

ALTER TABLE edits
    DROP CONSTRAINT edits_source_check,
    ADD CONSTRAINT edits_source_check CHECK (source IN ('painted', 'model', 'generator', 'adopted'));

CREATE TABLE edit_sources (
    edit_id   bigint NOT NULL REFERENCES edits,
    source_id bigint NOT NULL REFERENCES edits,
    PRIMARY KEY (edit_id, source_id)
);
CREATE INDEX edit_sources_source ON edit_sources (source_id);
COMMENT ON TABLE edit_sources IS 'Of an adopted map: the maps of slots that it is the mean of, or the one that it is. Rows are only added.';

-- +goose StatementBegin
CREATE FUNCTION edit_sources_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a map was adopted from is only added'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'edit_sources_append_only';
END $$;

-- A slot is its painter's once they have drawn in it: whoever came after would see the map.
CREATE FUNCTION edits_in_slot() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner tasks;
BEGIN
    SELECT * INTO owner FROM tasks WHERE id = NEW.task_id;
    IF owner.slot = 0 OR owner.painter_id = NEW.author_id THEN
        RETURN NULL;
    END IF;
    IF owner.painter_id IS NOT NULL THEN
        RAISE EXCEPTION 'task % is a slot that user % paints', owner.id, owner.painter_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edits_in_slot';
    END IF;
    UPDATE tasks SET painter_id = NEW.author_id WHERE id = NEW.task_id;
    RETURN NULL;
END $$;

-- Of an image that several people painted a round learns from what was adopted, and so from one map.
CREATE FUNCTION round_edits_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM edits e JOIN tasks t ON t.id = e.task_id WHERE e.id = NEW.edit_id AND t.slot > 0) THEN
        RAISE EXCEPTION 'edit % is one of several maps of its image, and none that was adopted', NEW.edit_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'round_edits_adopted';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER edit_sources_append_only BEFORE UPDATE OR DELETE ON edit_sources FOR EACH ROW EXECUTE FUNCTION edit_sources_append_only();
CREATE TRIGGER edit_sources_no_truncate BEFORE TRUNCATE ON edit_sources FOR EACH STATEMENT EXECUTE FUNCTION edit_sources_append_only();
CREATE TRIGGER edits_in_slot AFTER INSERT ON edits FOR EACH ROW EXECUTE FUNCTION edits_in_slot();
CREATE TRIGGER round_edits_check BEFORE INSERT ON round_edits FOR EACH ROW EXECUTE FUNCTION round_edits_check();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION task_drawn_by(task bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT who ORDER BY who), '{}') FROM (
        SELECT e.author_id AS who FROM edits e
        WHERE e.task_id = task
            AND (e.revision > coalesce((SELECT max(j.revision) FROM edits j WHERE j.task_id = task AND j.state IN ('approved', 'rejected')), 0)
                 OR e.map = (SELECT s.map FROM edits s WHERE s.task_id = task AND s.state = 'submitted'))
        UNION ALL
        SELECT s.painter_id FROM tasks t JOIN tasks s ON s.version_id = t.version_id AND s.image_id = t.image_id AND s.slot > 0
        WHERE t.id = task AND s.painter_id IS NOT NULL) x
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION task_drawn_by IS 'Who had a hand in what is to be judged of a task: drew any revision since the last verdict, or drew the same map before it, or paints one of several maps of the image. They do not judge it. annotator.TaskCard.MayJudge is the rule; queues, pages and reviews_check ask this.';

-- +goose Down
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM tasks WHERE slot > 0) THEN
        RAISE EXCEPTION 'several people painted an image, which the schema before cannot hold';
    END IF;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION task_drawn_by(task bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT e.author_id ORDER BY e.author_id), '{}') FROM edits e
    WHERE e.task_id = task
        AND (e.revision > coalesce((SELECT max(j.revision) FROM edits j WHERE j.task_id = task AND j.state IN ('approved', 'rejected')), 0)
             OR e.map = (SELECT s.map FROM edits s WHERE s.task_id = task AND s.state = 'submitted'))
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION task_drawn_by IS 'Who had a hand in what is to be judged of a task: drew any revision since the last verdict, or drew the same map before it. They do not judge it. annotator.TaskCard.MayJudge is the rule; queues, pages and reviews_check ask this.';
DROP TRIGGER round_edits_check ON round_edits;
DROP TRIGGER edits_in_slot ON edits;
DROP TABLE edit_sources;
DROP FUNCTION edit_sources_append_only, edits_in_slot, round_edits_check;
ALTER TABLE edits
    DROP CONSTRAINT edits_source_check,
    ADD CONSTRAINT edits_source_check CHECK (source IN ('painted', 'model', 'generator'));
DROP INDEX tasks_painter, tasks_slots, tasks_slot_painter, tasks_slot_author;
ALTER TABLE tasks
    DROP CONSTRAINT tasks_one_per_slot,
    ADD CONSTRAINT tasks_one_per_version UNIQUE (version_id, image_id),
    DROP CONSTRAINT tasks_painter_of_slot, DROP COLUMN painter_id, DROP COLUMN slot;
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius, OLD.mix)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius, NEW.mix))
    EXECUTE FUNCTION projects_stay();
ALTER TABLE projects DROP COLUMN overlap_share, DROP COLUMN overlap_painters, DROP COLUMN overlap_seed;
