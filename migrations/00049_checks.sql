-- Some of the tasks that painters are given are checks: of images whose object's mask is known. What they paint is scored against the mask
-- when they submit it. It is a task like any other, and they are not told which ones these are.

-- +goose Up
ALTER TABLE projects ADD COLUMN check_share integer NOT NULL DEFAULT 0 CONSTRAINT projects_check_share CHECK (check_share BETWEEN 0 AND 100);
COMMENT ON COLUMN projects.check_share IS 'Per cent of the tasks given out that are checks; which turns are is decided by a hash of overlap_seed, the person and how many tasks they have had.';
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius, OLD.mix, OLD.overlap_share, OLD.overlap_painters, OLD.overlap_seed, OLD.check_share)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius, NEW.mix, NEW.overlap_share, NEW.overlap_painters, NEW.overlap_seed, NEW.check_share))
    EXECUTE FUNCTION projects_stay();

ALTER TABLE tasks ADD COLUMN is_check boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tasks.is_check IS 'It was given out as a check.';

CREATE TABLE check_scores (
    edit_id  bigint PRIMARY KEY REFERENCES edits,
    inside   real NOT NULL CONSTRAINT check_scores_inside CHECK (inside BETWEEN 0 AND 1),
    area     real NOT NULL CONSTRAINT check_scores_area CHECK (area BETWEEN 0 AND 1),
    pointing boolean
);
COMMENT ON TABLE check_scores IS 'What a person painted of a check, against the known mask. Rows are only added.';
COMMENT ON COLUMN check_scores.inside IS 'The share of the map''s values inside the mask.';
COMMENT ON COLUMN check_scores.area IS 'The mask''s share of the map, which an even map has inside.';
COMMENT ON COLUMN check_scores.pointing IS 'Whether the map''s largest value lies on the object; null for an even map.';
-- +goose StatementBegin
CREATE FUNCTION check_scores_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'scores of checks are only added'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'check_scores_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER check_scores_append_only BEFORE UPDATE OR DELETE ON check_scores FOR EACH ROW EXECUTE FUNCTION check_scores_append_only();
CREATE TRIGGER check_scores_no_truncate BEFORE TRUNCATE ON check_scores FOR EACH STATEMENT EXECUTE FUNCTION check_scores_append_only();

-- +goose Down
DROP TABLE check_scores;
DROP FUNCTION check_scores_append_only;
ALTER TABLE tasks DROP COLUMN is_check;
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius, OLD.mix, OLD.overlap_share, OLD.overlap_painters, OLD.overlap_seed)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius, NEW.mix, NEW.overlap_share, NEW.overlap_painters, NEW.overlap_seed))
    EXECUTE FUNCTION projects_stay();
ALTER TABLE projects DROP COLUMN check_share;
