-- With what maps begin, of what an import knew of where the object is.

-- +goose Up
ALTER TABLE projects
    ADD COLUMN start_method text NOT NULL DEFAULT 'model' CHECK (start_method IN ('model', 'area', 'max', 'clicks')),
    ADD COLUMN start_radius double precision NOT NULL DEFAULT 0 CHECK (start_radius >= 0 AND start_radius <= 8);
COMMENT ON COLUMN projects.start_method IS 'What a painter begins with: the model''s own map, or one made of the mask or of clicks.';
COMMENT ON COLUMN projects.start_radius IS 'In cells of the map''s grid; 0 where the method has none.';

CREATE TABLE image_clicks (
    image_id bigint PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    places   real[] NOT NULL CHECK (cardinality(places) > 0 AND cardinality(places) % 2 = 0)
);
COMMENT ON TABLE image_clicks IS 'Where people clicked on the object, where a data set says so.';
COMMENT ON COLUMN image_clicks.places IS 'x and y by turns, as shares of the picture''s width and height as stored.';

-- +goose Down
DROP TABLE image_clicks;
ALTER TABLE projects DROP COLUMN start_method, DROP COLUMN start_radius;
