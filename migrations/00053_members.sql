-- People are members of projects, each with a role there. What was open to everybody before stays open to them.

-- +goose Up
CREATE TABLE memberships (
    project_id bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role       text NOT NULL CONSTRAINT memberships_role CHECK (role IN ('annotator', 'reviewer', 'lead')),
    added_at   timestamptz NOT NULL DEFAULT now(),
    added_by   bigint REFERENCES users ON DELETE SET NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
CREATE INDEX memberships_added_by ON memberships (added_by) WHERE added_by IS NOT NULL;
COMMENT ON TABLE memberships IS 'Who takes part in which project, and as what. Admins need none: they have all of every project.';
COMMENT ON COLUMN memberships.added_by IS 'Who made them a member; null: the command line, or the upgrade that brought memberships.';
COMMENT ON COLUMN users.role IS 'admin: all of the studio. Of others the role that they get in a project they join, unless another is said.';
INSERT INTO memberships (project_id, user_id, role, added_at) -- since both were there
SELECT p.id, u.id, CASE u.role WHEN 'admin' THEN 'lead' ELSE u.role END, greatest(p.created_at, u.created_at)
FROM projects p CROSS JOIN users u WHERE p.purged_at IS NULL AND NOT u.generator AND u.removed_at IS NULL;

-- +goose Down
COMMENT ON COLUMN users.role IS NULL;
DROP TABLE memberships;
