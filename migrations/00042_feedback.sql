-- A project says what painters are shown of the network's answer to their maps: all the while, once a map is submitted, or nothing. Who
-- sees the score under the brush paints for the score, which a study may not want.

-- +goose Up
ALTER TABLE projects ADD COLUMN feedback text NOT NULL DEFAULT 'live' CHECK (feedback IN ('live', 'submitted', 'off'));
COMMENT ON COLUMN projects.feedback IS 'When painters see what the network says to their map: live, once it is submitted, or never (off).';

-- +goose Down
ALTER TABLE projects DROP COLUMN feedback;
