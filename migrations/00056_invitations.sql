-- Invitations by link: who opens one makes an account, or, with an account under its address, joins its projects. A row goes when the link
-- is used, revoked or has expired; the trail keeps that it was there.

-- +goose Up
CREATE TABLE invitations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea NOT NULL CONSTRAINT invitations_hash_key UNIQUE CONSTRAINT invitations_hash_is_sha256 CHECK (octet_length(hash) = 32),
    email      text NOT NULL,
    role       text NOT NULL CONSTRAINT invitations_role CHECK (role IN ('annotator', 'reviewer', 'admin')),
    project_id bigint REFERENCES projects ON DELETE CASCADE,
    invited_by bigint REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT invitations_in_order CHECK (created_at < expires_at),
    CONSTRAINT invitations_of_leads CHECK (project_id IS NULL OR role = 'annotator')
);
CREATE INDEX invitations_invited_by ON invitations (invited_by) WHERE invited_by IS NOT NULL;
CREATE INDEX invitations_project ON invitations (project_id) WHERE project_id IS NOT NULL;
COMMENT ON TABLE invitations IS 'Links that are open. Of a link its secret''s SHA-256 is kept.';
COMMENT ON COLUMN invitations.project_id IS 'The project to which a lead invites, who makes no other accounts than annotators; null: an admin''s.';
COMMENT ON COLUMN invitations.invited_by IS 'Null: the command line.';

CREATE TABLE invitation_projects (
    invitation_id bigint NOT NULL REFERENCES invitations ON DELETE CASCADE,
    project_id    bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    role          text NOT NULL CONSTRAINT invitation_projects_role CHECK (role IN ('annotator', 'reviewer', 'lead')),
    PRIMARY KEY (invitation_id, project_id)
);
CREATE INDEX invitation_projects_project ON invitation_projects (project_id);
COMMENT ON TABLE invitation_projects IS 'What somebody who is invited joins, and as what.';

-- +goose Down
DROP TABLE invitation_projects;
DROP TABLE invitations;
