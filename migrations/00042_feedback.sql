-- A project says what painters are shown of the network's answer to their maps: all the while, once a map is submitted, or nothing. Who
-- sees the score under the brush paints for the score, which a study may not want.

-- +goose Up
ALTER TABLE projects ADD COLUMN feedback text NOT NULL DEFAULT 'live' CHECK (feedback IN ('live', 'submitted', 'off'));
COMMENT ON COLUMN projects.feedback IS 'When painters see what the network says to their map: live, once it is submitted, or never (off).';

-- What a project is called and how it works stays too while it is closed. Who closes, opens, deletes, restores or purges it changes other columns.
-- +goose StatementBegin
CREATE FUNCTION projects_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('studio.purging', true) = 'on' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the project % is closed', OLD.slug
        USING ERRCODE = 'check_violation', CONSTRAINT = 'projects_open', DETAIL = OLD.slug;
END $$;
-- +goose StatementEnd
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.start_method, OLD.start_radius) IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.start_method, NEW.start_radius))
    EXECUTE FUNCTION projects_stay();

-- +goose Down
DROP TRIGGER projects_changed ON projects;
DROP FUNCTION projects_stay;
ALTER TABLE projects DROP COLUMN feedback;
